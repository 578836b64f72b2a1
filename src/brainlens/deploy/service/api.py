"""Owns the routes of /api/v1 about readings: classify, look up, comment, take away."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Query, Request, UploadFile
from fastapi.responses import JSONResponse, Response, StreamingResponse

from brainlens.deploy.service import schemas
from brainlens.deploy.service.desk import Desk
from brainlens.deploy.service.downloads import (
    FEEDBACK_COLUMNS,
    reading_csv,
    report,
    table,
)
from brainlens.deploy.service.refusals import Refusal, of, too_long
from brainlens.deploy.service.structured import structured
from brainlens.deploy.service.uploads import plain
from brainlens.deploy.service.wording import Language

_LOG = logging.getLogger("brainlens.serve")
_STREAM = "application/x-ndjson"
Name = Annotated[str, Path(pattern=schemas.ID, description="A reading.")]
Number = Annotated[int, Path(ge=0, le=100_000, description="The index of a slice.")]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for its documentation."""
    always = (400, 401, 403, 413, 500, 503, 507)
    return {status: {"model": schemas.Error} for status in (*always, *statuses)}


def desk_of(request: Request) -> Desk:
    """The desk behind a request."""
    desk: Desk = request.app.state.desk
    return desk


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/v1")
    routes.post(
        "/classify", status_code=201, response_model=schemas.Reading,
        responses=refusals(404, 408, 415, 422, 429), summary="Classify one or many files",
    )(classify)  # fmt: skip
    routes.get("/readings", response_model=schemas.Lines, responses=refusals(422))(listed)
    routes.get("/readings/{name}", response_model=schemas.Reading, responses=refusals(404, 422))(
        one
    )
    routes.get("/readings/{name}/csv", response_class=Response, responses=_file("text/csv"))(as_csv)
    routes.get(
        "/readings/{name}/report", response_class=Response, responses=_file("text/html")
    )(as_report)  # fmt: skip
    routes.get(
        "/readings/{name}/dicom-sr", response_class=Response,
        responses=_file("application/dicom") | refusals(404, 422, 501),
    )(as_dicom_sr)  # fmt: skip
    routes.get(
        "/readings/{name}/slices/{number}/values", response_class=Response,
        responses=_file("application/octet-stream"),
    )(values)  # fmt: skip
    routes.get(
        "/readings/{name}/slices/{number}/picture", response_class=Response,
        responses=_file("image/png"),
    )(picture)  # fmt: skip
    routes.post(
        "/readings/{name}/feedback", status_code=201, response_model=schemas.Saved,
        responses=refusals(404, 408, 422),
    )(comment)  # fmt: skip
    routes.get("/feedback.csv", response_class=Response, responses=_file("text/csv"))(said)
    return routes


async def classify(
    request: Request,
    files: Annotated[list[UploadFile], File(description="Images, DICOM, NIfTI, zip.")],
    reader: Annotated[str, Form(max_length=80, description="Who reads, for the log.")] = "",
    coverage: Annotated[float | None, Form(ge=0.5, le=0.999)] = None,
) -> Response:
    """Read, judge and keep an upload. With `Accept: application/x-ndjson` progress comes first."""
    desk, limits = desk_of(request), desk_of(request).settings.limits
    named = [(one.filename or "unnamed", one.file) for one in files]
    try:
        async with asyncio.timeout(limits.work_seconds):
            upload = await desk.read(named)
            events = desk.judge(
                upload, reader=plain(reader).strip(), who=who(request, reader),
                coverage=coverage or desk.settings.coverage,
            )  # fmt: skip
            if _STREAM in request.headers.get("accept", ""):
                return StreamingResponse(_lines(events, limits.work_seconds), 201, None, _STREAM)
            async for event in events:
                if "reading" in event:
                    return JSONResponse(event["reading"], 201)
    except TimeoutError:
        raise too_long(limits.work_seconds) from None
    raise AssertionError("a reading comes last")


async def listed(
    request: Request,
    search: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    most: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """This server's readings, the latest first."""
    desk = desk_of(request)
    rows = await desk.ask(desk.history.listed, plain(search).strip(), before, most)
    number, digest = await desk.ask(desk.history.head)
    following = rows[-1]["entry"] if len(rows) == most else None
    audit = {"entries": number, "digest": digest}
    return JSONResponse({"readings": rows, "next": following, "audit": audit})


async def one(request: Request, name: Name) -> Response:
    """A reading, with what readers said of it."""
    return JSONResponse(await desk_of(request).reading(name))


async def as_csv(request: Request, name: Name) -> Response:
    """A reading as CSV, one line a slice."""
    return _saved(reading_csv(await desk_of(request).reading(name)), "text/csv", f"{name}.csv")


async def as_report(request: Request, name: Name, language: Language = "en") -> Response:
    """A reading as a page to print."""
    desk = desk_of(request)
    text = await desk.ask(report, await desk.reading(name), desk.album, language)
    return _saved(text, "text/html", f"{name}.html")


async def as_dicom_sr(request: Request, name: Name) -> Response:
    """A reading as DICOM SR (TID 1500), while its upload is remembered; a zip of several."""
    desk = desk_of(request)
    document, headers = await desk.reading(name), desk.album.headers(name)
    content, ending = await desk.paint(
        lambda: structured(document, headers, desk.sight.healthy, desk.work)
    )
    kind = "application/dicom" if ending == "dcm" else "application/zip"
    return _saved(content, kind, f"{name}.{ending}")


async def values(request: Request, name: Name, number: Number) -> Response:
    """A slice's pixels as the page windows them: see `shown` in its reading."""
    desk = desk_of(request)
    held = await desk.ask(desk.album.values, name, number)
    if held is None:
        raise Refusal("not-kept", f"the picture {number} of reading {name} is not kept")
    little = held.astype("<u2") if held.itemsize == 2 else held
    return Response(little.tobytes(), media_type="application/octet-stream")


async def picture(
    request: Request, name: Name, number: Number,
    side: Annotated[int, Query(ge=0, le=1024, description="Pixels at most; 0: as it is.")] = 0,
) -> Response:  # fmt: skip
    """A slice as PNG, through its own window."""
    desk = desk_of(request)
    found = await desk.ask(desk.album.picture, name, number, side)
    if found is None:
        raise Refusal("not-kept", f"the picture {number} of reading {name} is not kept")
    return Response(found, media_type="image/png")


async def comment(request: Request, name: Name, said: schemas.Said) -> Response:
    """What a reader says of a slice or of the whole reading."""
    desk = desk_of(request)
    document = await desk.reading(name)
    if said.verdict == "other" and said.label not in document["labels"]:
        raise Refusal("invalid", f"label {said.label!r}: expected one of {document['labels']}")
    if said.slice is not None and said.slice >= len(document["slices"]):
        raise Refusal("invalid", f"slice {said.slice}: the reading has {len(document['slices'])}")
    words = said.model_dump()
    for key in ("label", "note", "reader"):
        words[key] = plain(words[key]).strip()
    written = desk.history.comment(document, words, who(request, said.reader))
    return JSONResponse({"entry": await asyncio.wrap_future(written)}, 201)


async def said(request: Request) -> Response:
    """All that readers said, with file digests and labels, for later training."""
    desk = desk_of(request)
    rows = await desk.ask(desk.history.feedback)
    return _saved(table(FEEDBACK_COLUMNS, rows), "text/csv", "feedback.csv")


def who(request: Request, reader: str) -> str:
    """Who asks, for the audit log: the name given, and the address."""
    address = request.client.host if request.client else "unknown"
    return f"{plain(reader).strip()[:80] or 'not named'} @ {address}"


async def _lines(events: AsyncIterator[dict[str, Any]], seconds: float) -> AsyncIterator[bytes]:
    """Events as lines of JSON; what goes wrong after the first is a line too."""
    try:
        async with asyncio.timeout(seconds):
            async for event in events:
                yield _line(event)
    except TimeoutError:
        yield _line(too_long(seconds).document())
    except Exception as error:
        if not isinstance(error, Refusal):
            _LOG.exception("a reading failed after its first line")
        yield _line(of(error).document())


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def _file(kind: str) -> dict[int | str, dict[str, Any]]:
    content: dict[str, Any] = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": content}} | refusals(404, 422)


def _saved(content: str | bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="brainlens-{name}"'}
    return Response(content, headers=headers, media_type=kind)
