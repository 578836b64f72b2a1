"""Owns the drawing of accuracy against severity: how models bear worse scans; styled as plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from brainlens.report.plots import SERIES, STYLE, WIDTH, as_svg

_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")


def severities(judged: Mapping[str, Sequence[Mapping[str, Any]] | None]) -> str:
    """Accuracy against severity for each model so judged, a panel a degradation; "" for none."""
    models = {name: curves for name, curves in judged.items() if curves}
    if not models:
        return ""
    first = next(iter(models.values()))
    rows = -(-len(first) // 2)
    with style.context(["default", STYLE | {"font.size": 9.0}]):
        figure = Figure(figsize=(1.5 * WIDTH, 2.1 * rows), layout="constrained")
        panels = figure.subplots(rows, 2, sharey=True, squeeze=False).flat
        for panel, curve in zip(panels, first, strict=False):
            marks = ["none", *(f"{p['severity']:g}" for p in curve["points"][1:])]
            for number, (name, curves) in enumerate(models.items()):
                own = next(c for c in curves if c["name"] == curve["name"])
                estimates = [p["accuracy"] for p in own["points"]]
                colour, _, line = SERIES[number % len(SERIES)]
                panel.plot(
                    [e["value"] for e in estimates], color=colour, linestyle=line,
                    marker=_MARKERS[number % len(_MARKERS)], label=name,
                )  # fmt: skip
                if all(e["low"] is not None for e in estimates):
                    low, high = ([e[end] for e in estimates] for end in ("low", "high"))
                    panel.fill_between(range(len(low)), low, high, color=colour, alpha=0.12, lw=0)
            panel.set_xticks(range(len(marks)), marks)
            panel.set_xlabel(f"{curve['name']}: {curve['unit']}")
            panel.set_ylim(0, 1.02)
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.grid(True)
        for panel in list(panels)[len(first) :]:
            panel.set_visible(False)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center",
                      ncols=min(3, len(models)))  # fmt: skip
        return as_svg(figure)
