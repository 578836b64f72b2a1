"""Owns what the page says of an audit: `audit.json` in, sentences, tables and drawings out.

Pictures of the audited images are not its business: gallery adds them where they are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainlens.report import tallies
from brainlens.report.artefacts import Document, need, pick, read_json
from brainlens.report.facts import Facts, facts, plain
from brainlens.report.names import PATHS, Names

View = dict[str, Any]

SHOWN = 50  # rows of a list; audit.json holds all
LEAK_COLUMNS = ("images", "copy", "twin", "group", "leaking")
_SIDES = {"test": "train or val", "val": "train"}


def audit(folder: Path, names: Names = PATHS) -> View:
    """What is said of an audit."""
    file = folder / "audit.json"
    document = read_json(file)
    wanted = (
        "counts", "classes", "sizes", "modes", "flags", "leaks", "shortcut", "certificate",
    )  # fmt: skip
    parts = {name: need(document, name, dict, file) for name in wanted}
    counts = {
        name: need(parts["counts"], name, int, file)
        for name in ("images", "copies", "twin_pairs", "groups_before", "groups", "unfit")
    }
    other = pick(document, "comparison")
    conflicts = [
        _conflict(one, names.own, names.own) for one in need(document, "conflicts", list, file)
    ]
    if other:
        across = need(other, "conflicts", list, file)
        conflicts += [_conflict(one, names.own, names.other) for one in across]
    pairs = need(document, "pairs", list, file)
    flagged = need(document, "flagged", list, file)
    return {
        "verdict": _verdict(counts, parts["leaks"], other),
        "leaks": _leak_tables(parts["leaks"], other, names),
        "counts": _counts(counts),
        "conflicts": conflicts[:SHOWN],
        "conflicting": len(conflicts),
        "suspects": pick(document, "suspects"),
        "shown": SHOWN,
        "flags": [(name, _flag(flag)) for name, flag in parts["flags"].items()],
        "flagged": [(names.own(one["path"]), ", ".join(one["flags"])) for one in flagged[:SHOWN]],
        "flagged_all": len(flagged),
        "pairs": [
            pair | {"one": names.own(pair["one"]), "other": names.own(pair["other"])}
            for pair in pairs[:SHOWN]
        ],
        "pairs_all": len(pairs),
        "classes": [(label, _class(own)) for label, own in parts["classes"].items()],
        "sizes": list(parts["sizes"].items()),
        "modes": list(parts["modes"].items()),
        "shortcut": plain(parts["shortcut"].get("sentence")),
        "visible": bool(parts["shortcut"].get("visible")),
        "certificate": certificate(parts["certificate"]),
        "facts": facts(pick(document, "provenance")),
        # A command names files and folders.
        "command": pick(document, "provenance", "command") if names.shown else "",
        "names_shown": names.shown,
        "charts": _charts(parts["classes"], pick(document, "census")),
        "planes": _planes(pick(document, "census", "planes"), list(parts["classes"])),
        "gallery": [],
    }


def certificate(held: Document) -> Facts:
    """A leakage certificate as rows of a table."""
    rows: Facts = []
    for which, index in (pick(held, "indices") or {}).items():
        about = f"{index['images']:,} images in {index['groups']:,} groups"
        rows.append((f"{which} index", f"{index['digest']} ({about})"))
    return rows + [
        (name, plain(value) or "not looked for")
        for name, value in held.items()
        if name not in ("indices", "versions")
    ]


def _verdict(counts: Mapping[str, int], leaks: Document, other: Any) -> str:
    """What a newcomer takes home: whether these sides can be believed."""
    same = f"{counts['copies']:,} exact copies and {counts['twin_pairs']:,} pairs of twins"
    said = f"{counts['images']:,} images in {counts['groups']:,} groups: {same}."
    for side, found in leaks.items():
        seen, images = _sum(found, "leaking"), _sum(found, "images")
        share = f" ({100 * seen / images:.1f} %)" if images else ""
        said += f" {seen:,} of {images:,} {side} images{share} are also in {_SIDES[side]}."
    if not leaks:
        said += " No split is set, so no leak between sides was looked for."
    if other:
        seen, images = _sum(other, "leaking"), _sum(other, "images")
        said += f" {seen:,} of {images:,} images are also in the other index."
    return said


def _sum(found: Document, name: str) -> int:
    return sum(int(own[name]) for own in found["classes"].values())


def _leak_tables(leaks: Document, other: Any, names: Names) -> list[View]:
    """One table a side, one for the other index; each with its first images."""
    titled = [
        (f"{side} images also in {_SIDES[side]}", found, names.own) for side, found in leaks.items()
    ]
    if other:
        titled.append(("Images also in the other index", other, names.other))
    return [
        {
            "title": title[0].upper() + title[1:],
            "rows": [
                (label, [own[name] for name in LEAK_COLUMNS])
                for label, own in found["classes"].items()
            ],
            "sums": [_sum(found, name) for name in LEAK_COLUMNS],
            "found": _sum(found, "leaking") > 0,
            "images": [
                leak | {"path": names.own(leak["path"]), "seen": seen(leak["seen"])}
                for leak in found["images"][:SHOWN]
            ],
            "images_all": len(found["images"]),
        }
        for title, found, seen in titled
    ]


def _counts(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    names = {
        "images": "images",
        "copies": "exact copies",
        "twin_pairs": "pairs of twins",
        "groups_before": "groups before",
        "groups": "groups now",
        "unfit": "unfit images",
    }
    return [(name, counts[key]) for key, name in names.items()]


def _conflict(
    one: Document, first: Callable[[str], str], rest: Callable[[str], str]
) -> tuple[str, list[tuple[str, str]]]:
    """The kind, and each image with its label."""
    given, labels = one["paths"], one["labels"]
    paths = [(rest if i else first)(path) for i, path in enumerate(given)]
    if len(paths) < len(labels):
        return one["kind"], [(paths[0], " or ".join(labels))]
    return one["kind"], list(zip(paths, labels, strict=True))


def _class(own: Document) -> list[str]:
    """Counts, then width and height as smallest, median, largest."""
    counted = [f"{own[name]:,}" for name in ("images", "groups", "patients", "unfit")]
    spread = [f"{own[s][0]:g} / {own[s][2]:g} / {own[s][4]:g}" for s in ("width", "height")]
    return counted + spread


def _flag(flag: Document) -> list[str]:
    """A check's row: images, threshold, whether it makes unfit, the reason."""
    return [
        f"{flag['images']:,}",
        flag["beyond"],
        "unfit" if flag["unfit"] else "told",
        flag["why"],
    ]


def _charts(classes: Document, held: Any) -> list[tuple[str, str, Markup]]:
    """Title, words and drawing: images by class, and their sizes where the audit kept them."""
    counted = {
        label: {"images": own["images"], "groups": own["groups"], "unfit": own["unfit"]}
        for label, own in classes.items()
    }
    words = "; ".join(f"{label}: {own['images']}" for label, own in counted.items())
    charts = [("Images, groups and unfit images by class", words, Markup(tallies.bars(counted)))]
    for side in ("width", "height"):
        found = pick(held, side)
        if found:
            edges, drawn = found["edges"], found["classes"]
            title = f"{side[0].upper()}{side[1:]} by class"
            words = f"{title}, from {edges[0]} to {edges[-1]} pixels; the table holds the quartiles"
            drawing = tallies.histograms(edges, drawn, f"{side}, pixels")
            charts.append((title, words, Markup(drawing)))
    return charts


def _planes(planes: Any, labels: list[str]) -> list[tuple[str, list[int]]]:
    """By plane: images of each class."""
    return [
        (plane, [own.get(label, 0) for label in labels]) for plane, own in (planes or {}).items()
    ]
