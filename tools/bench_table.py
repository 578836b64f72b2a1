"""Makes the tables of benchmarks and of other tools, for tools/results_table.py.

Of docs/results/bench: every row of every benchmark, what was wanted and whether it holds. Of
docs/results/baselines: the tools that a user would pick instead, as `python -m
benchmarks.baselines` leaves them.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]
Table = list[list[str]]
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_WANTED = re.compile(r"(ratio |ours )?(<=|>=|<|>) ([\d.,]+)( \w+)?")


def benchmarks(held: Mapping[str, Document]) -> Table:
    """One row a figure: ours, the baseline of the same run, their ratio, and where it was."""
    head = ["what", "ours", "baseline", "ratio", "wanted", "holds", "machine", "JSON"]
    rows = [
        [
            row["what"], _figure(row.get("ours"), row.get("unit", "")),
            _figure(row.get("baseline"), row.get("unit", "")), _figure(row.get("ratio"), ""),
            row.get("wanted", ""), holds(row), _machine(one), f"[{name}]({name}.json)",
        ]
        for name, one in held.items()
        for row in one["rows"]
    ]  # fmt: skip
    return [head, *rows]


def holds(row: Mapping[str, Any]) -> str:
    """Whether what was wanted is so, where it is said in numbers: yes, no, or nothing."""
    parts = [_WANTED.fullmatch(part) for part in row.get("wanted", "").split(", ")]
    said = []
    for part in parts:
        if part is None or (part[4] and part[4].strip() != row.get("unit")):
            return ""
        value = row["ratio" if part[1] == "ratio " else "ours"]
        said.append(_ORDER[part[2]](value, float(part[3].replace(",", ""))))
    return "yes" if all(said) else "**no**"


def baselines(held: Mapping[str, Document]) -> Table:
    """One row a tool, the most accurate first."""
    head = ["tool", "weights", "epochs", "minutes (of processor)", "peak GB", "lines",
            "accuracy % (95 %)", "balanced accuracy %", "ECE", "what it says of its test images",
            "JSON"]  # fmt: skip
    ranked = sorted(held.items(), key=lambda item: -item[1]["metrics"]["accuracy"]["value"])
    rows = [
        [
            f"{one['tool']} {one['version']}", one["weights"], str(one["epochs"]),
            f"{one['minutes']:.1f} ({one['processor minutes']:.1f})", f"{one['peak GB']:.1f}",
            str(one["lines"]), _percent(one["metrics"]["accuracy"]),
            _percent(one["metrics"]["balanced_accuracy"]), f"{one['metrics']['ece']['value']:.3f}",
            one["reports"], f"[{name}]({name}.json)",
        ]
        for name, one in ranked
    ]  # fmt: skip
    return [head, *rows]


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{digits} {unit}".strip()


def _machine(one: Document) -> str:
    """Processor, cores and day, and what a whole run of the benchmark took."""
    held = one["machine"]
    took = f", {one['seconds'] / 60:.1f} min" if "seconds" in one else ""
    return f"{held['cpu']}, {held['cores']} cores, {one['measured'][:10]}{took}"


def _percent(figure: dict[str, float]) -> str:
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"
