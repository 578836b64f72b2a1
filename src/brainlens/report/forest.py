"""Owns the drawing of differences: numbers in, one inline SVG out; 0 is no difference."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib import style
from matplotlib.ticker import FuncFormatter, MaxNLocator

from brainlens.report.artefacts import Estimate
from brainlens.report.plots import MUTED, SERIES, STYLE, as_svg, new_axes, shortened


def differences(rows: Mapping[str, Mapping[str, Estimate]]) -> str:
    """A forest plot in points: for each named row its figures (at most 3 names)."""
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    step = 0.62 / max(1, len(names))
    with style.context(["default", STYLE]):
        figure, axes = new_axes(1.3 + len(rows) * (0.3 + 0.17 * len(names)))
        axes.axvline(0, color=MUTED, linewidth=1.2)
        for series, name in enumerate(names):
            colour, marker, _ = SERIES[series]
            offset = (series - (len(names) - 1) / 2) * step
            axes.plot([], [], color=colour, marker=marker, label=name)
            for i, figures in enumerate(rows.values()):
                value, low, high = figures.get(name, Estimate(None, None, None))
                if value is None:
                    continue
                axes.plot([value], [i + offset], color=colour, marker=marker, markersize=6)
                if low is not None and high is not None:
                    axes.plot([low, high], [i + offset] * 2, color=colour)
        axes.set_yticks(range(len(rows)), [shortened(row, 24) for row in rows])
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.1f}"))
        axes.set_xlabel("points of accuracy")
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
        if len(names) > 1:
            figure.legend(loc="outside upper center", ncols=len(names))
        return as_svg(figure)
