"""Owns the application: the parts put together, and every fault made an answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from brainlens import __version__
from brainlens.deploy.service import api, side
from brainlens.deploy.service.desk import Desk
from brainlens.deploy.service.guard import Guard
from brainlens.deploy.service.refusals import Refusal, code_of, of

_LOG = logging.getLogger("brainlens.serve")
_ABOUT = """Classify slices of brain MRI. Research use, not a medical device.

Every refusal is `{"error": {"code", "message", "next"}}`. Where the server has a token, send
`Authorization: Bearer TOKEN`."""


def create(desk: Desk) -> Guard:
    """The application around an open desk, behind its door; the desk closes when it ends."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.desk = desk
        yield
        await desk.close()

    app = FastAPI(
        title="brainlens", version=__version__, description=_ABOUT, lifespan=life, docs_url=None,
        redoc_url=None, openapi_url="/api/v1/openapi.json",
    )  # fmt: skip
    app.include_router(api.router())
    app.include_router(side.router())
    app.mount("/static", StaticFiles(directory=side.STATIC), name="static")
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _fault)
    return Guard(app, desk.settings, desk.gauges)


async def _refused(request: Request, error: Any) -> Response:
    """A refusal, ours or the framework's."""
    told = of(error)  # the framework calls it a bad request where it cannot keep an upload
    if told.code == "fault":
        told = Refusal(code_of(error.status_code), str(error.detail))
        return JSONResponse(told.document(), error.status_code, error.headers)
    return JSONResponse(told.document(), told.status_code, told.headers)


async def _invalid(request: Request, error: Any) -> Response:
    """A field that is missing or wrong."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return await _refused(request, Refusal("invalid", f"{where}: {first['msg']}"))


async def _fault(request: Request, error: Exception) -> Response:
    """A fault of ours, or a full disk: in the log with its trace, to the client without."""
    _LOG.error("a request failed: %s %s", request.method, request.url.path, exc_info=error)
    told = of(error)
    return JSONResponse(told.document(), told.status_code)
