"""Owns forest plots, of shares and of differences: named figures in, one inline SVG out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from brainlens.report.artefacts import Estimate
from brainlens.report.palette import MUTED, shortened
from brainlens.report.plots import SERIES, STYLE, as_svg, new_axes

Rows = Mapping[str, Mapping[str, Estimate]]  # for each named row its figures, at most 3 names


def intervals(rows: Rows) -> str:
    """Shares with their intervals, on an axis that ends at 100 %."""

    def dress(axes: Axes, least: float) -> None:
        floor = max(0.0, int(min(0.9, least) * 10) / 10)
        axes.set_xlim(floor, 1.0 + 0.02 * (1 - floor))
        if floor:
            axes.set_xlabel(f"the axis begins at {100 * floor:.0f} %")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))

    return _drawn(rows, dress)


def differences(rows: Rows) -> str:
    """Differences in points; the line at 0 is no difference."""

    def dress(axes: Axes, _: float) -> None:
        axes.axvline(0, color=MUTED, linewidth=1.2, zorder=1)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.1f}"))
        axes.set_xlabel("points of accuracy")

    return _drawn(rows, dress)


def _drawn(rows: Rows, dress: Callable[[Axes, float], None]) -> str:
    """The figures as marks on their intervals; `dress` gets the axes and the least end of all."""
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    step, least = 0.62 / max(1, len(names)), 1.0
    with style.context(["default", STYLE]):
        figure, axes = new_axes(1.3 + len(rows) * (0.3 + 0.17 * len(names)))
        for series, name in enumerate(names):
            colour, marker, _ = SERIES[series]
            offset = (series - (len(names) - 1) / 2) * step
            axes.plot([], [], color=colour, marker=marker, label=name)
            for i, figures in enumerate(rows.values()):
                value, low, high = figures.get(name, Estimate(None, None, None))
                if value is None:
                    continue
                axes.plot([value], [i + offset], color=colour, marker=marker, markersize=6)
                least = min(least, value)
                if low is not None and high is not None:
                    axes.plot([low, high], [i + offset] * 2, color=colour)
                    least = min(least, low)
        axes.set_yticks(range(len(rows)), [shortened(row, 24) for row in rows])
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        dress(axes, least)
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
        if len(names) > 1:
            figure.legend(loc="outside upper center", ncols=len(names))
        return as_svg(figure)
