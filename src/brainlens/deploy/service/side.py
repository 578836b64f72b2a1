"""Owns the routes beside the readings: model, samples, enlarging, style, health, figures."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, Response

from brainlens import __version__
from brainlens.deploy.service import schemas
from brainlens.deploy.service.api import desk_of, refusals
from brainlens.deploy.service.refusals import Refusal
from brainlens.deploy.service.samples import samples
from brainlens.deploy.service.structured import has_sr

STATIC = FilePath(__file__).parent / "static"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter()
    routes.get("/healthz", response_model=schemas.Ready)(health)
    routes.get("/readyz", response_model=schemas.Ready, responses=refusals())(ready)
    routes.get("/metrics", response_class=Response, responses=refusals())(figures)
    routes.get("/api/v1/model", responses=refusals())(model)
    routes.get("/api/v1/samples", responses=refusals())(listed)
    routes.get("/api/v1/samples/{name}", response_class=Response, responses=refusals(404))(sample)
    for path, function in (("/api/v1/enhance", enhance), ("/api/v1/style", style)):
        routes.post(
            path, response_model=schemas.Enlarged, responses=refusals(404, 408, 415, 422, 429, 501)
        )(function)
    routes.get("/", include_in_schema=False)(page)
    return routes


async def page() -> Response:
    """The one page."""
    return FileResponse(STATIC / "index.html", media_type="text/html")


async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


async def ready(request: Request) -> dict[str, str]:
    """The model is loaded, and the history can be read."""
    desk = getattr(request.app.state, "desk", None)
    if desk is None:
        raise Refusal("not-ready", "the model is not loaded yet", retry_after=2)
    try:
        await desk.ask(desk.history.head)
    except Exception:  # any fault of any database
        raise Refusal("not-ready", "the database is out of reach", retry_after=5) from None
    return {"status": "ready"}


async def figures(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(desk_of(request).gauges.page(), headers={"Content-Type": _PROMETHEUS})


async def model(request: Request) -> dict[str, Any]:
    """What the model is: its card, what it learned from, how it was calibrated, what is offered."""
    desk = desk_of(request)
    meaning = {key: value for key, value in desk.sight.model.meaning.items() if key != "conformal"}
    limits = desk.settings.limits
    return {
        "name": desk.sight.name, "digest": desk.sight.digest, "labels": desk.sight.labels,
        "healthy": desk.sight.healthy, "coverage": desk.settings.coverage, "meaning": meaning,
        "record": desk.record, "brainlens": __version__, "keeps_images": desk.settings.keep_images,
        "methods": desk.enhancer.methods, "styles": desk.enhancer.styles, "sr": has_sr(),
        "limits": {"upload": limits.upload, "files": limits.files, "slices": limits.slices},
    }  # fmt: skip


async def listed() -> dict[str, list[dict[str, str]]]:
    """The samples: synthetic slices, no patient's; those of one label are of one head."""
    return {"samples": [{"name": name, "label": path.parent.name}
                        for name, path in samples().items()]}  # fmt: skip


async def sample(name: Annotated[str, Path(max_length=80)]) -> Response:
    """One sample's JPEG."""
    found = samples().get(name)
    if found is None:
        raise Refusal("not-found", "there is no such sample; /api/v1/samples lists them")
    return FileResponse(found, media_type="image/jpeg")


async def enhance(
    request: Request,
    picture: Annotated[UploadFile, File(description="A picture, or a scan: its middle slice.")],
    method: Annotated[str, Form(max_length=40)] = "bicubic",
    scale: Annotated[int, Form(ge=2, le=8)] = 4,
    check: Annotated[bool, Form(description="Make it small first, compare with itself.")] = False,
    reference: Annotated[UploadFile | None, File(description="The sharp original.")] = None,
) -> Response:
    """Enlarge a picture, for looking at, never for a diagnosis."""
    desk = desk_of(request)
    named = picture.filename or "unnamed"
    content = await picture.read()
    other = (reference.filename or "reference", await reference.read()) if reference else None
    return JSONResponse(await desk.paint(lambda: desk.enhancer.enlarge(
        named, content, desk.work, method=method, scale=scale, check=check, reference=other,
    )))  # fmt: skip


async def style(
    request: Request,
    picture: Annotated[UploadFile, File(description="A picture.")],
    strength: Annotated[float, Form(ge=0, le=1)] = 1.0,
) -> Response:
    """Paint a picture in the manner of the style model."""
    desk = desk_of(request)
    named, content = picture.filename or "unnamed", await picture.read()
    work = desk.enhancer.style
    return JSONResponse(
        await desk.paint(lambda: work(named, content, desk.work, strength=strength))
    )
