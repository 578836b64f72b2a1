"""Owns what is said of a study: `study.json` in, sentences, tables and drawings out.

Used by the page and, as plain lines, by the command itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainlens.report import plots
from brainlens.report.artefacts import Document, need, pick, read_json
from brainlens.report.facts import NONE, facts, plain, protocol

View = dict[str, Any]


def study(folder: Path) -> View:
    """What the page is given of a study."""
    file = folder / "study.json"
    document = read_json(file)
    for name in ("design", "seconds"):
        need(document, name, dict, file)
    rows = need(document, "rows", list, file)
    tables = document.get("analysis") or {}
    design = document["design"]
    return {
        "verdict": verdict(document),
        "design": _design_facts(design, rows),
        "factors": list(design["factors"]),
        "arms": list(tables),
        "rows": [_row(row, tables, design) for row in rows],
        "failed": [(row["row"] + 1, row["error"]) for row in rows if row["status"] == "failed"],
        "open": sum(row["status"] == "waiting" for row in rows),
        "analyses": [_analysis(arm, table, design) for arm, table in tables.items()],
        "effects": _effects(tables, design) if tables else "",
        "arm_lines": [arm_line(one) for one in document.get("arms") or []],
        "choices": _choices(document, tables),
        "test": _test(document),
        "against": distance(document),
        "published": _published(document),
        "seconds": [(name, f"{value:.1f} s") for name, value in document["seconds"].items()],
        "leak": pick(document, "leakage", "test_images_seen") or 0,
        "protocol": protocol(document.get("protocol")),
        "facts": facts(document.get("provenance")),
        "command": pick(document, "provenance", "command"),
    }


def verdict(document: Document) -> str:
    """What a newcomer takes home."""
    rows, design = document["rows"], document["design"]
    done = sum(row["status"] == "done" for row in rows)
    said = (
        f"{done} of {len(rows)} rows ({design['array']}), {design['replicates']} seeds each"
        + (f", in {len(design['arms'])} arms" if len(design["arms"]) > 1 else "")
        + "."
    )
    found = document.get("confirmation")
    if not found:
        return said + " Not confirmed yet."
    own = found["validation"][found["arm"]]
    said += (
        f" Chosen on validation: {_settings(found['settings'])}"
        + (f", arm {found['arm']}" if len(design["arms"]) > 1 else "")
        + f"; {_name(design)} {figure(own['mean'], design)} from new seeds."
    )
    if found["test"]:
        said += f" Test accuracy {interval(found['test']['accuracy'])}."
    return said


def summary(document: Document) -> list[tuple[str, list[list[str]]]]:
    """Titled tables for the terminal: responses, analysis of variance, choices."""
    tables, design = document.get("analysis") or {}, document["design"]
    head = ["row", *design["factors"], *(f"{arm} ({_name(design)})" for arm in tables)]
    body = []
    for row in document["rows"]:
        shown = _row(row, tables, design)
        body.append(
            [str(shown["number"]), *shown["levels"], *(mean for mean, _, _ in shown["arms"])]
        )
    blocks = [("", [head, *body])]
    for arm, table in tables.items():
        lines = _analysis(arm, table, design)["lines"]
        if lines:
            columns = ["source", "df", "SS", "MS", "F", "p", "share"]
            blocks.append((f"analysis of variance, {arm}", [columns, *lines]))
    names = ["arm", "best row", "chosen levels", "predicted (95 %)", "confirmed", "inside"]
    blocks.append(("", [names, *(list(choice) for choice in _choices(document, tables))]))
    return blocks


def figure(value: float | None, design: Document) -> str:
    """A response as a reader writes it."""
    if value is None:
        return NONE
    return f"{value:.4f}" if design["response"] == "val_loss" else f"{100 * value:.2f} %"


def interval(held: Any, sign: bool = False) -> str:
    """A share with its interval, in percent."""
    mark = "+" if sign else ""
    text = f"{100 * held['value']:{mark}.2f} %"
    if held["low"] is None:
        return text
    return f"{text} ({100 * held['low']:{mark}.2f} to {100 * held['high']:{mark}.2f})"


def _name(design: Document) -> str:
    return str(design["response"]).replace("val_", "validation ").replace("_", " ")


def _settings(settings: Document) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {plain(value)}" for key, value in settings.items())


def _design_facts(design: Document, rows: list[Document]) -> list[tuple[str, str]]:
    return [
        ("design", f"{design['name']}: {design['array']}, {len(rows)} rows"),
        *((f"factor {name}", plain(levels)) for name, levels in design["factors"].items()),
        *((f"arm {name}", plain(own) or "as the settings") for name, own in design["arms"].items()),
        ("settings", plain(design["settings"])),
        ("replicates", f"{design['replicates']} seeds from {design['seed']}"),
        ("response", f"{_name(design)} at the best epoch; {design['goal']} is better"),
    ]


def _row(row: Document, tables: Document, design: Document) -> View:
    """One row: its levels, and each arm's mean, values and S/N."""
    arms = []
    for arm, table in tables.items():
        values = [one["value"] for one in row["results"].get(arm, {}).values()]
        done = table["rows"]
        ratio = None
        if row["status"] == "done":
            ratio = table["signal_to_noise"][done.index(row["row"])]
        mean = sum(values) / len(values) if values else None
        each = ", ".join(figure(value, design) for value in values)
        arms.append((figure(mean, design), each, NONE if ratio is None else f"{ratio:.3f}"))
    return {
        "number": row["row"] + 1,
        "levels": [plain(value) for value in row["settings"].values()],
        "arms": arms,
        "status": row["status"],
    }


def _analysis(arm: str, table: Document, design: Document) -> View:
    """One arm's analysis of variance, aliases and interaction drawing."""
    lines = [
        [line["source"], str(line["df"]), f"{line['ss']:.3g}",
         *(NONE if line[key] is None else f"{line[key]:.3g}" for key in ("ms", "f", "p")),
         NONE if line["contribution"] is None else f"{line['contribution']:.1f} %"]
        for line in table["anova"] or []
    ]  # fmt: skip
    levels = {name: [plain(v) for v in values] for name, values in design["factors"].items()}
    shown = []
    for one in table["interactions"]:
        first, second = one["factors"]
        series = dict(zip(levels[first], one["means"], strict=False))
        shown.append((f"{second}, by {first}".replace("_", " "), levels[second], series))
    aliases = [
        f"{' x '.join(one['factors'])} looks like "
        + ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in one["with"].items())
        for one in table["aliases"]
        if one["with"]
    ]
    return {
        "arm": arm,
        "lines": lines,
        "note": table["anova_note"],
        "aliases": aliases,
        "interactions": Markup(plots.panels(shown, _name(design))) if shown else "",
        "words": "; ".join(f"{title}: {series}" for title, _, series in shown),
    }


def _effects(tables: Document, design: Document) -> Markup:
    """The main effects of every factor, a line an arm."""
    shown = [
        (
            name.replace("_", " "),
            [plain(level) for level in levels],
            {arm: table["effects"]["response"][name] for arm, table in tables.items()},
        )
        for name, levels in design["factors"].items()
    ]
    return Markup(plots.panels(shown, _name(design)))


def arm_line(one: Document) -> str:
    """One arm less another, paired by row and seed."""
    low = "" if one["low"] is None else (
        f" (95 % over rows: {100 * one['low']:+.2f} to {100 * one['high']:+.2f})"
    )  # fmt: skip
    return f"{one['second']} less {one['first']}: {100 * one['value']:+.2f} points{low}"


def _choices(document: Document, tables: Document) -> list[tuple[str, ...]]:
    """Per arm: the best row seen, the chosen levels, what was predicted, what was confirmed."""
    design, found = document["design"], document.get("confirmation")
    lines: list[tuple[str, ...]] = []
    for arm, table in tables.items():
        best, chosen, told = table["best_row"], table["chosen"], table["predicted"]
        seen = f"{best['row'] + 1}: {figure(best['mean'], design)}"
        text = figure(told["value"], design)
        if told["low"] is not None:
            text += f" ({figure(told['low'], design)} to {figure(told['high'], design)})"
        own = pick(found, "validation", arm)
        confirmed = figure(own["mean"], design) if own else NONE
        inside = NONE if not own or own["inside"] is None else plain(own["inside"])
        where = "" if chosen["row"] is None else f" (row {chosen['row'] + 1})"
        lines.append((arm, seen, _settings(chosen["settings"]) + where, text, confirmed, inside))
    return lines


def _test(document: Document) -> View | None:
    held = pick(document, "confirmation", "test")
    if not held:
        return None
    each = ", ".join(f"{100 * value:.2f} %" for value in held["accuracies"])
    return {"accuracy": interval(held["accuracy"]), "each": each, "images": held["images"],
            "groups": held["groups"], "arm": document["confirmation"]["arm"]}  # fmt: skip


def distance(document: Document) -> list[str]:
    """Sentences on the distance from another study's choice."""
    held = document.get("against")
    if not held:
        return []
    said = [
        f"On the {held['images']} test images, this study's choice less that of "
        f"{held['design']}: {interval(held['difference'], sign=True)}, by image and group."
    ]
    if held["in_table"]:
        own = held["in_table"]
        said.append(
            f"In this study's own table (validation) that choice is number {own['rank']} of "
            f"{own['rows']}; the best row less it: {interval(own['gap'], sign=True)}. The best of "
            "many rows is partly luck, so this gap is too large if anything."
        )
    return said


def _published(document: Document) -> View | None:
    """A paper's table beside ours, row by row as it printed them."""
    held = document.get("published")
    if not held or "accuracy" not in held:
        return None
    columns = list(held["accuracy"])
    rows = [
        ([plain(value) for value in levels],
         [f"{100 * held['accuracy'][name][i]:.2f} %" for name in columns])
        for i, levels in enumerate(held["rows"])
    ]  # fmt: skip
    best = []
    for name in columns:
        values = held["accuracy"][name]
        top = max(range(len(values)), key=values.__getitem__)
        best.append(f"{name}: row {top + 1}, {100 * values[top]:.2f} %")
    return {"source": held.get("source", "published"), "factors": held["factors"],
            "columns": columns, "rows": rows, "best": best}  # fmt: skip
