"""Owns drawings of counts: bars of named rows, histograms of classes. They look as plots do.

Written out as SVG here, so that an audit waits for no plotting library to load and lay out a few
rectangles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import escape

from brainlens.report.palette import BLUE, COLOURS, GRID, INK, MUTED, shortened, turning

WIDTH = 403  # units, as wide as plots: small enough to be read on a phone without zooming
_LETTER = 7.0  # units a letter takes, about
_BAR = 14  # height of a bar with the room below it


def bars(rows: Mapping[str, Mapping[str, int]]) -> str:
    """Counts of each named row, one bar a series (at most 3), its number at the end of the bar."""
    names = list(dict.fromkeys(name for counts in rows.values() for name in counts))
    most = max((n for counts in rows.values() for n in counts.values()), default=0) or 1
    left = 8 + _LETTER * max((len(shortened(row, 24)) for row in rows), default=0)
    room = WIDTH - left - 48  # of the longest bar, beside its number
    legend = 24 if len(names) > 1 else 6
    step = _BAR * len(names) + 10
    parts = list(_legend(names)) if len(names) > 1 else []
    for k, (row, counts) in enumerate(rows.items()):
        top = legend + k * step
        parts.append(_words(left - 6, top + _BAR * len(names) / 2 + 4, shortened(row, 24), "end"))
        for name, colour in zip(names, COLOURS, strict=False):
            n = counts.get(name, 0)
            parts.append(_bar(left, top, room * n / most, _BAR - 2, colour))
            parts.append(_words(left + room * n / most + 4, top + 10, f"{n:,}", size=9))
            top += _BAR
    height = legend + step * len(rows)
    parts.append(_line(left, legend - 4, left, height - 6))
    return _drawing(height, parts)


def histograms(edges: Sequence[float], classes: Mapping[str, Sequence[int]], what: str) -> str:
    """One histogram a class, one above the other, with shared edges; heights are their own."""
    left, right, tall = 44, 18, 54
    low, high = edges[0], max(edges[-1], edges[0] + 1)
    scale = (WIDTH - left - right) / (high - low)
    foot = tall * len(classes)
    parts = []
    ticks = [(left + (value - low) * scale, value) for value in _ticks(low, high)]
    for k, (label, counts) in enumerate(classes.items()):
        base, most = tall * (k + 1) - 4, max(counts, default=0) or 1
        for x, _ in ticks:
            parts.append(_line(x, base - 32, x, base, GRID))
        for begin, end, n in zip(edges, edges[1:], counts, strict=False):
            height = 32 * n / most
            x = left + (begin - low) * scale
            if n:
                parts.append(_bar(x, base - height, (end - begin) * scale, height, BLUE))
        parts.append(_line(left, base, WIDTH - right, base))
        parts.append(_words(left, base - 37, shortened(label, 24), size=10))
        parts.append(_words(left - 5, base - 26, f"{most:,}", "end", 9))
        parts.append(_words(left - 5, base + 1, "0", "end", 9))
    parts += [_words(x, foot + 12, f"{value:,.0f}", "middle", 9) for x, value in ticks]
    parts.append(_words((left + WIDTH - right) / 2, foot + 28, what, "middle"))
    return _drawing(foot + 34, parts)


def _ticks(low: float, high: float) -> Iterator[float]:
    """Round numbers from `low` to `high`, about six."""
    rough = (high - low) / 5
    unit = 10 ** math.floor(math.log10(rough))
    step = unit * min((m for m in (1, 2, 5, 10) if m * unit >= rough), default=10)
    value = math.ceil(low / step) * step
    while value <= high:
        yield value
        value += step


def _legend(names: Sequence[str]) -> Iterator[str]:
    x = 8.0
    for name, colour in zip(names, COLOURS, strict=False):
        yield _bar(x, 4, 14, 9, colour)
        yield _words(x + 18, 12.5, name)
        x += 34 + _LETTER * len(name)


def _bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" '
        f'style="fill: {turning(colour)}; opacity: 0.75"/>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, colour: str = MUTED) -> str:
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" style="stroke: {turning(colour)}"/>'


def _words(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" style="fill: {turning(INK)}; font: {size}px system-ui, '
        f'sans-serif; text-anchor: {anchor}">{escape(text)}</text>'
    )


def _drawing(height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}">\n{body}\n</svg>'
    )
