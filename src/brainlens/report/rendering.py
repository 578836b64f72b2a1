"""Owns the page itself: views in, one HTML text out, by the templates beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from brainlens import __version__

View = dict[str, Any]


def render(
    views: Sequence[View], *, holds: str, pictures: bool = False, comparison: View | None = None
) -> str:
    """The page of some views; `holds` says what of the images it gives away."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        views=views,
        comparison=comparison,
        leaking=[view for view in views if view["kind"] == "evaluation" and view["leak"]["found"]],
        version=__version__,
        holds=holds,
        pictures=pictures,
    )
