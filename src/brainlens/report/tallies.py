"""Owns drawings of counts: bars of named rows, histograms of classes. Same style as plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainlens.report.plots import BLUE, SERIES, STYLE, WIDTH, as_svg, new_axes, shortened


def bars(rows: Mapping[str, Mapping[str, int]]) -> str:
    """Counts of each named row, one bar a series (at most 3), its number at the end of the bar."""
    names = list(dict.fromkeys(name for counts in rows.values() for name in counts))
    step = 0.8 / max(1, len(names))
    most = max((n for counts in rows.values() for n in counts.values()), default=0) or 1
    with style.context(["default", STYLE]):
        figure, axes = new_axes(0.9 + len(rows) * (0.16 + 0.22 * len(names)))
        for series, name in enumerate(names):
            places = [i + (series - (len(names) - 1) / 2) * step for i in range(len(rows))]
            numbers = [counts.get(name, 0) for counts in rows.values()]
            axes.barh(places, numbers, height=0.86 * step, color=SERIES[series][0],
                      alpha=0.75, label=name)  # fmt: skip
            for place, n in zip(places, numbers, strict=True):
                axes.text(n + 0.01 * most, place, f"{n:,}", va="center", fontsize=9)
        axes.set_yticks(range(len(rows)), [shortened(row, 24) for row in rows])
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.set_xlim(0, 1.12 * most)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
        if len(names) > 1:
            figure.legend(loc="outside upper center", ncols=len(names))
        return as_svg(figure)


def histograms(edges: Sequence[float], classes: Mapping[str, Sequence[int]], what: str) -> str:
    """One histogram a class, one above the other, with shared edges; heights are their own."""
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH, 0.9 + 0.75 * max(1, len(classes))), layout="constrained")
        rows = figure.subplots(max(1, len(classes)), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (label, counts) in zip(rows, classes.items(), strict=False):
            axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.75)
            axes.set_ylim(0, 1.25 * (max(counts, default=0) or 1))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
            axes.grid(True, axis="x")
            axes.set_title(shortened(label, 24), loc="left", fontsize=10, pad=2)
        rows[-1].set_xlabel(what)
        return as_svg(figure)
