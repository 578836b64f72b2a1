"""Owns the colours of a page's drawings.

Each is a CSS variable with a fallback, so that one drawing reads on a light page, a dark one and
paper. Okabe and Ito's (2008), colour-blind safe.
"""

from __future__ import annotations

INK, MUTED, GRID = "#1b1f24", "#57606b", "#d0d7de"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
COLOURS = (BLUE, ORANGE, GREEN)  # of series, in this order
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", BLUE: "blue", ORANGE: "orange",
             GREEN: "green"}  # fmt: skip


def turning(colour: str) -> str:
    """A colour as CSS: the page's own of that name, which turns with its light."""
    return f"var(--{VARIABLES[colour]}, {colour})"


def shortened(label: str, most: int = 16) -> str:
    """A label that cannot push the drawing off the page."""
    return label if len(label) <= most else label[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
