"""Owns what is said of synthetic images: `score.json` and `verdict.json` in, words and tables out.

Used by the page and, as plain lines, by the commands themselves.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainlens.report.artefacts import Document, Estimate, need, pick, read_json
from brainlens.report.columns import aligned
from brainlens.report.facts import NONE, facts, plain, protocol
from brainlens.report.forest import differences

View = dict[str, Any]
FIGURES = {
    "fid": "FID", "kid": "KID", "precision": "precision", "recall": "recall",
    "density": "density", "coverage": "coverage", "spread": "diversity",
}  # fmt: skip
RIVALS = {"made": "made", "rival": "its rival", "real": "real, other half", "noise": "noise"}
_LARGE = {"fid", "spread"}
ROW_HEAD = ["arm", "ratio", "pictures", "validation", "accuracy", "balanced", "sensitivity"]
PAIR_HEAD = ["arm", "ratio", "against", "accuracy, points (95 %)", "of the class (95 %)",
             "McNemar, Holm", "bootstrap, Holm"]  # fmt: skip


# --- score ---------------------------------------------------------------------------------------
def score(folder: Path) -> View:
    """What the page is given of a score."""
    file = folder / "score.json"
    document = read_json(file)
    classes = need(document, "classes", dict, file)
    return {
        "verdict": need(document, "answer", str, file),
        "about": _about_generator(document),
        "classes": [_class(label, own, folder) for label, own in classes.items()],
        "protocol": None,
        "facts": facts(document),
        "command": pick(document, "command"),
    }


def _about_generator(document: Document) -> list[tuple[str, str]]:
    held = {"made": document["made"], "pixels a side": document["size"], **document["generator"]}
    return [(name.replace("_", " "), plain(value)) for name, value in held.items()]


def _class(label: str, own: Document, folder: Path) -> View:
    """One class: its figures in every kind of features, and its copies."""
    sheet = folder / f"closest-{label}.png"
    found = own["copying"]
    return {
        "label": label,
        "pictures": [(name.replace("_", " "), plain(n)) for name, n in own["pictures"].items()],
        "rivals": rivals_of(own),
        "tables": [(name, _figure_rows(held)) for name, held in own["figures"].items()],
        "caught": found["caught"],
        "copying": _copying(found),
        "words": found["words"],
        "sheet": _embedded(sheet) if sheet.is_file() else "",
        "closest": [(p["made"], p["train"], f"{p['r']:.3f}", p["transform"])
                    for p in own["closest"][:10]],
    }  # fmt: skip


def rivals_of(own: Document) -> list[str]:
    """What stands beside each other in a class's tables."""
    held = next(iter(own["figures"].values()))
    return [word for rival, word in RIVALS.items() if rival in held]


def _embedded(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _figure_rows(held: Document) -> list[tuple[str, list[tuple[str, str]]]]:
    """A line a figure: made, real, noise, each with its interval."""
    return [
        (word, [_written(held[rival][name], name) for rival in RIVALS if rival in held])
        for name, word in FIGURES.items()
    ]


def _written(figure: Document, name: str) -> tuple[str, str]:
    form = ".1f" if name in _LARGE else ".3f"
    low, high = figure["low"], figure["high"]
    within = "" if low is None else f"{low:{form}} to {high:{form}}"
    return f"{figure['value']:{form}}", within


def _copying(found: Document) -> list[tuple[str, str]]:
    def share(held: Document) -> str:
        if held["low"] is None:
            return f"{held['value']:.2f}; 0.5 is chance"
        within = f"{100 * found['level']:g} %: {held['low']:.2f} to {held['high']:.2f}"
        return f"{held['value']:.2f} ({within}); 0.5 is chance"

    return [
        (f"copies (r of {found['threshold']:g} or more)", str(found["copies"])),
        ("the same of held-out real pictures", f"{found['held_out_copies']:.1%}"),
        ("median r with the nearest training picture",
         f"made {found['median_r']['made']:.3f}, held out {found['median_r']['held_out']:.3f}"),
        ("made nearer than held out", share(found["nearer"])),
        ("the same, against the next neighbours", share(found["nearer_by_lead"])),
        ("made nearer than all but 1 % of held-out ones", f"{found['beyond']:.1%}"),
    ]  # fmt: skip


def score_table(document: Document) -> str:
    """The figures as text."""
    blocks = []
    for label, own in document["classes"].items():
        for name, held in own["figures"].items():
            rows = [[word, *(f"{value}  {within}" for value, within in cells)]
                    for word, cells in _figure_rows(held)]  # fmt: skip
            blocks.append(
                f"{label}, {name} features, {own['pictures']['compared']} pictures a side"
            )
            blocks.append(aligned([["", *rivals_of(own)], *rows]) + "\n")
    return "\n".join(blocks)


# --- verdict -------------------------------------------------------------------------------------
def verdict(folder: Path) -> View:
    """What the page is given of a verdict."""
    file = folder / "verdict.json"
    document = read_json(file)
    need(document, "comparisons", list, file)
    return {
        "verdict": need(document, "answer", str, file),
        "about": _about_trial(document),
        "labels": document["labels"],
        "row_head": [*ROW_HEAD[:-1], *document["labels"]],
        "rows": _rows(document),
        "pair_head": PAIR_HEAD,
        "pairs": _pairs(document),
        "forest": Markup(_forest(document)),
        "leaking": leaking_lines(document),
        "protocol": protocol(document.get("protocol")),
        "facts": facts(document),
        "command": pick(document, "command"),
    }


def _about_trial(document: Document) -> list[tuple[str, str]]:
    held = document["classifier"]
    made = [
        (f"generator {arm}",
         f"{own['facts']['size']} pixels, width {own['facts']['width']}, step "
         f"{own['facts'].get('step', own['facts']['steps'])}, "
         f"{own['facts']['pictures']} training pictures")
        for arm, own in document["generators"].items()
    ]  # fmt: skip
    return [
        ("class added to", f"{document['class']}, {document['real']} real training images"),
        ("classifier", f"{held['backbone']} ({held['weights']} weights), head on kept features"),
        ("budget", f"{document['budget']:,} pictures seen in training by every arm"),
        ("seeds", plain(document["seeds"])),
        ("test", f"{document['test']['images']} images in {document['test']['groups']} groups"),
        *made,
    ]


def _rows(document: Document) -> list[list[str]]:
    return [
        [row["arm"], f"{row['ratio']:g}", str(row["pictures"]), f"{100 * row['validation']:.1f}",
         f"{100 * row['accuracy']:.1f}", f"{100 * row['balanced_accuracy']:.1f}",
         *(f"{100 * row['sensitivity'][label]:.1f}" for label in document["labels"])]
        for row in document["rows"]
    ]  # fmt: skip


def _pairs(document: Document) -> list[list[str]]:
    return [
        [one["arm"], f"{one['ratio']:g}", one["against"], _points(one["difference"]),
         _points(one["of_class"]), f"{one['holm_mcnemar']:.2g}", f"{one['holm_bootstrap']:.2g}"]
        for one in document["comparisons"]
    ]  # fmt: skip


def _points(held: Document) -> str:
    text = f"{100 * held['value']:+.1f}"
    if held["low"] is None:
        return text
    return f"{text} ({100 * held['low']:+.1f} to {100 * held['high']:+.1f})"


def _forest(document: Document) -> str:
    """Differences of accuracy with their intervals; the line is no difference."""
    rows: dict[str, dict[str, Estimate]] = {}
    for one in document["comparisons"]:
        held = one["difference"]
        rows.setdefault(f"{one['arm']} x{one['ratio']:g}", {})[f"against {one['against']}"] = (
            Estimate(held["value"], held["low"], held["high"])
        )
    return differences(rows)


def leaking_lines(document: Document) -> list[str]:
    """Seed A's protocol in words."""
    held = document.get("leaking")
    if not held:
        return []
    found = held["accuracy"]

    def percent(name: str) -> str:
        return NONE if found[name] is None else f"{100 * found[name]:.1f} %"

    base = next(row for row in document["rows"] if row["arm"] == "none")
    return [
        f"Grouped, honest, nothing added: {100 * base['accuracy']:.1f} %.",
        f"Seed A's protocol without made pictures: {percent('without')}.",
        f"With {held['made_pictures']} made ones (generator {held['generator']}, trained on "
        f"{held['trained_on']}), tested on too: {percent('with')}.",
        f"Of that, on the real test pictures {percent('real')}, on the made ones "
        f"{percent('made')}.",
    ]


def verdict_table(document: Document) -> str:
    """The tables as text."""
    head = [*ROW_HEAD[:-1], *document["labels"]]
    blocks = [aligned([head, *_rows(document)]), aligned([PAIR_HEAD, *_pairs(document)])]
    return "\n\n".join([*blocks, *leaking_lines(document)]) + "\n"
