"""Owns the pictures of a report: numbers in, one inline SVG string out.

Pure: no file, clock or global figure is touched, and the same numbers give the same bytes. No
series is told apart by colour alone.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from brainlens.report.artefacts import Bin, History
from brainlens.report.palette import (
    BLUE,
    COLOURS,
    GRID,
    INK,
    MUTED,
    ORANGE,
    VARIABLES,
    shortened,
    turning,
)

SERIES = tuple(zip(COLOURS, "osD", ("-", "--", ":"), strict=True))

WIDTH = 5.6  # inches of 72 units: small enough to be read on a phone without zooming

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: searchable, small, the reader's own font
    "svg.hashsalt": "brainlens",
    "text.parse_math": False,  # a label or a file name may hold a dollar sign
    "font.size": 11.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
}


def curves(history: History, what: str, best_epoch: int | None) -> str:
    """Training and validation `what` (accuracy or loss) by epoch, the best epoch marked."""
    with style.context(["default", STYLE]):
        figure, axes = new_axes(3.4)
        for name, word, look in (("train", "training", 0), ("val", "validation", 1)):
            points = [(row["epoch"], row[f"{name}_{what}"]) for row in history]
            colour, marker, line = SERIES[look]
            axes.plot(*_known(points), color=colour, marker=marker, linestyle=line, label=word)
        if best_epoch is not None:
            axes.axvline(
                best_epoch, color=MUTED, linestyle=(0, (2, 2)), linewidth=1.2,
                label=f"best epoch: {best_epoch}",
            )  # fmt: skip
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if what == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(True)
        figure.legend(loc="outside upper center", ncols=3)
        return as_svg(figure)


def confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Counts and the share of each row; blue is right, orange is wrong, deeper is more."""
    count = len(labels)
    with style.context(["default", STYLE]):
        figure, axes = new_axes(max(3.2, 1.3 + 0.62 * count))
        for i, row in enumerate(matrix):
            total = sum(row)
            for j, n in enumerate(row):
                share = n / total if total else 0.0
                axes.fill(
                    [j - 0.5, j + 0.5, j + 0.5, j - 0.5], [i - 0.5, i - 0.5, i + 0.5, i + 0.5],
                    facecolor=BLUE if i == j else ORANGE, alpha=0.45 * share, linewidth=0,
                )  # fmt: skip
                if count <= 8:
                    size = 11 if count <= 5 else 8
                    axes.text(j, i - 0.06, str(n), ha="center", va="bottom", fontsize=size)
                    percent = f"{100 * share:.1f} %" if total else "\N{EN DASH}"
                    axes.text(j, i + 0.04, percent, ha="center", va="top", fontsize=size - 2)
                elif n:  # many classes: the table has the shares
                    axes.text(j, i, str(n), ha="center", va="center", fontsize=6)
        axes.set_xlim(-0.5, count - 0.5)
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_xticks(range(count), [shortened(label) for label in labels])
        axes.set_yticks(range(count), [shortened(label) for label in labels])
        if count > 4 or max((len(label) for label in labels), default=0) > 11:
            axes.tick_params(axis="x", labelrotation=30)
            for tick in axes.get_xticklabels():
                tick.set_horizontalalignment("right")
        axes.tick_params(length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        return as_svg(figure)


def reliability(bins: Sequence[Bin]) -> str:
    """Accuracy against stated confidence, over the number of images in each bin."""
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
        curve, counts = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        curve.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (2, 2)), linewidth=1.2,
                   label="perfectly calibrated")  # fmt: skip
        points = [(b.confidence, b.accuracy) for b in bins]
        curve.plot(*_known(points), color=BLUE, marker="o", label="this model")
        curve.set_ylabel("accuracy")
        curve.set_ylim(-0.02, 1.05)
        curve.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        figure.legend(loc="outside upper center", ncols=2)
        most = max((b.images for b in bins), default=0) or 1
        for b in bins:
            middle, width = (b.low + b.high) / 2, 0.86 * (b.high - b.low)
            counts.bar([middle], [b.images], width=width, color=BLUE, alpha=0.55)
            if b.images:
                counts.text(middle, b.images + 0.06 * most, str(b.images), ha="center", fontsize=9)
        counts.set_ylabel("images")
        counts.set_ylim(0, 1.45 * most)
        counts.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
        counts.set_xlabel("confidence of the prediction")
        counts.set_xlim(0, 1)
        counts.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        for axes in (curve, counts):
            axes.grid(True)
        return as_svg(figure)


def panels(
    shown: Sequence[tuple[str, Sequence[str], Mapping[str, Sequence[float | None]]]],
    what: str,
    *,
    across: int = 2,
) -> str:
    """Small charts of one scale, (title, points along x, series by name): effects of factors."""
    rows = -(-len(shown) // across)
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH, 0.6 + 1.7 * rows), layout="constrained")
        grid = figure.subplots(rows, across, sharey=True, squeeze=False).flatten()
        for axes, (title, points, series) in zip(grid, shown, strict=False):
            for number, (name, values) in enumerate(series.items()):
                colour, marker, line = SERIES[number % len(SERIES)]
                known = _known([(float(x), value) for x, value in enumerate(values)])
                axes.plot(
                    *known, color=colour, marker=marker, linestyle=line, label=shortened(name)
                )
            axes.set_xticks(range(len(points)), [shortened(point, 10) for point in points])
            axes.set_xlim(-0.3, len(points) - 0.7)
            axes.set_title(title, fontsize=10.5, color=INK)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
            axes.tick_params(labelsize=9)
            axes.grid(True)
            if len({tuple(own) for _, _, own in shown}) > 1:  # each its own series
                axes.legend(fontsize=8)
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        if shown and len({tuple(own) for _, _, own in shown}) == 1 and len(shown[0][2]) > 1:
            handles, names = grid[0].get_legend_handles_labels()
            figure.legend(handles, names, loc="outside upper center", ncols=len(names))
        figure.supylabel(what, fontsize=10.5, color=INK)
        return as_svg(figure)


def new_axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _known(points: Sequence[tuple[float | None, float | None]]) -> tuple[list[float], list[float]]:
    """The points with both coordinates, as x and y: a line runs over the gaps."""
    known = [(x, y) for x, y in points if x is not None and y is not None]
    return [x for x, _ in known], [y for _, y in known]


def as_svg(figure: Figure) -> str:
    """Draw, then make fit for a page: no prologue, no page-wide style, ids of its own."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # A label in a script that matplotlib's font lacks: the reader's browser has a font for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s*<defs>\s*<style type="text/css">.*?</style>\s*</defs>', "", text,
                  flags=re.DOTALL)  # fmt: skip
    text = re.sub(r'(<svg [^>]*?)width="([\d.]+)pt" height="([\d.]+)pt"',
                  r'\1width="\2" height="\3" stroke-linejoin="round"', text, count=1)  # fmt: skip
    text = re.sub(r"(font(?:-family)?: [^;\"]*?)'DejaVu Sans'[^;\"]*",
                  r"\1system-ui, sans-serif", text)  # fmt: skip
    for colour in VARIABLES:
        text = text.replace(f": {colour}", f": {turning(colour)}")
    return _own_ids(text)


def _own_ids(text: str) -> str:
    """Drop the ids nothing points to and prefix the others: a page holds many drawings."""
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    mark = "p" + hashlib.sha256(text.encode()).hexdigest()[:8]

    def own(match: re.Match[str]) -> str:
        return f' id="{mark}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]*)"', own, text)
    return re.sub(r'(url\(|href=")#', rf"\1#{mark}-", text)
