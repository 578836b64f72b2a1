"""Owns the tables on the terminal: results in, lines that align out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from brainlens.data.index import counts
from brainlens.data.indexing import Indexed
from brainlens.data.split import SplitRecord
from brainlens.report.columns import aligned

FEW = 10  # test images of a class, below which a share of them says little


def index_summary(found: Indexed) -> str:
    """What indexing found, class by class, and what it left out."""
    rows = found.rows
    groups = Counter(row.group for row in rows)
    per_label = counts([row for row in rows])[""]
    table = [["class", "images", "groups", "known patients"]]
    for label, images in per_label.items():
        own = [row for row in rows if row.label == label]
        patients = {row.patient for row in own if row.patient}
        table.append([label, str(images), str(len({r.group for r in own})), str(len(patients))])
    table.append(["all", str(len(rows)), str(len(groups)), ""])
    lines = [aligned(table)]
    copies = len(rows) - len({row.pixel_digest for row in rows})
    conflicts = _conflicts(rows)
    if copies:
        lines.append(f"{copies} images are exact copies of another; they share its group")
    if conflicts:
        lines.append(f"{conflicts} groups carry more than one label")
    lines += [f"left out by the label map: {name} ({n})" for name, n in found.left_out.items()]
    if found.unlabelled:
        lines.append(
            f"{len(found.unlabelled)} images in no class folder: {found.unlabelled[0]} ..."
        )
    lines += [f"skipped {error}" for error in found.unreadable]
    if found.unreadable:
        lines.append(f"{len(found.unreadable)} files skipped")
    return "\n".join(lines)


def _conflicts(rows: Sequence[Any]) -> int:
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row.group, set()).add(row.label)
    return sum(len(names) > 1 for names in labels.values())


def audit_summary(document: dict[str, Any]) -> str:
    """What an audit found: classes, copies and twins, leaks, conflicts, flags."""
    counts, flags = document["counts"], document["flags"]
    classes = [["class", "images", "groups", "unfit"]]
    for label, own in document["classes"].items():
        classes.append([label, *(str(own[name]) for name in ("images", "groups", "unfit"))])
    classes.append(["all", *(str(counts[name]) for name in ("images", "groups", "unfit"))])
    blocks = [aligned(classes)]
    blocks.append(
        f"{counts['copies']} exact copies, {counts['twin_pairs']} pairs of twins; groups joined: "
        f"{counts['groups_before']} before, {counts['groups']} now"
    )
    for side, found in document["leaks"].items():
        blocks.append(_leak_block(f"{side} images seen earlier", found["classes"]))
    if document["comparison"]:
        blocks.append(_leak_block("in the other index", document["comparison"]["classes"]))
    conflicts = document["conflicts"] + (document["comparison"] or {"conflicts": []})["conflicts"]
    if conflicts:
        lines = [f"label conflicts: {len(conflicts)}"]
        lines += [f"  {c['kind']}: {_conflict_line(c)}" for c in conflicts[:10]]
        blocks.append("\n".join([*lines, *["  ..."][: len(conflicts) > 10]]))
    if suspects := document["suspects"]:
        blocks.append(_suspect_block(suspects))
    raised = [[name, str(f["images"]), f["beyond"]] for name, f in flags.items() if f["images"]]
    if raised:
        blocks.append(aligned([["flag", "images", "beyond"], *raised]))
    blocks.append(document["shortcut"]["sentence"])
    if counts["dropped"]:
        blocks.append(f"{counts['dropped']} unfit images left out of the new index")
    return "\n\n".join(blocks)


def _suspect_block(suspects: dict[str, Any]) -> str:
    """The labels that unseen predictions contradict, the most suspect first."""
    found = suspects["found"]
    head = f"suspect labels: {len(found)} of {suspects['judged']} images with unseen predictions"
    rows = [[f"  {one['path']}", one["label"], f"rather {one['guess']}"] for one in found[:10]]
    return "\n".join([head, *([aligned(rows)] if rows else []), *["  ..."][: len(found) > 10]])


def _leak_block(title: str, classes: dict[str, dict[str, int]]) -> str:
    """Leaks by class, with their sum."""
    names = ("images", "copy", "twin", "group", "leaking")
    rows = [[title, *names]]
    rows += [[label, *(str(own[name]) for name in names)] for label, own in classes.items()]
    rows.append(["all", *(str(sum(own[name] for own in classes.values())) for name in names)])
    return aligned(rows)


def _conflict_line(conflict: dict[str, Any]) -> str:
    """The first images of a conflict, each with its label."""
    paths, labels = conflict["paths"], conflict["labels"]
    if len(paths) < len(labels):
        return f"{paths[0]} ({' or '.join(labels)})"
    named = [f"{path} ({label})" for path, label in zip(paths, labels, strict=True)]
    return ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")


def split_summary(record: SplitRecord) -> str:
    """Images by split and class."""
    labels = sorted({label for table in record.counts.values() for label in table})
    rows = [["split", *labels, "images", "groups"]]
    for name, table in record.counts.items():
        numbers = [str(table.get(label, 0)) for label in labels]
        groups = str(record.groups.get(name, 0))
        rows.append([name or "unused", *numbers, str(sum(table.values())), groups])
    note = f"; {record.note}" if record.note else ""
    said = f"{aligned(rows)}\nprotocol {record.protocol}, seed {record.seed}{note}"
    return f"{said}\n{few}" if (few := _few_tests(record)) else said


def _few_tests(record: SplitRecord) -> str:
    """A warning where a class has so few test images that its figures will say next to nothing."""
    held = record.counts.get("test", {})
    label = min(held, key=lambda label: held[label], default="")
    if not label or held[label] >= FEW:
        return ""
    return (
        f"only {held[label]} test images of {label}: its figures will have wide intervals. Take "
        "more with --test 0.3, or let every image be tested once with --protocol folds"
    )


def evaluation_summary(result: dict[str, Any]) -> str:
    """The figures with their intervals, and the leak mark."""
    rows = [["figure", "value", "95 % interval"]]
    for name, figure in result["metrics"].items():
        rows.append([name.replace("_", " "), *_cells(figure)])
    each = [["class", "images", "sensitivity", "specificity", "precision", "F1", "AUROC"]]
    for label, own in result["per_class"].items():
        names = ("sensitivity", "specificity", "precision", "f1", "auroc")
        figures = [_cells(own[name])[0] for name in names]
        each.append([label, str(own["support"]), *figures])
    head = (
        f"{result['images']} {result['split']} images in {result['groups']} groups; protocol "
        f"{result['protocol']['protocol']}"
    )
    parts = [
        aligned([[what, "images", "accuracy", "95 % interval"], *_part_rows(own)])
        for what, own in result["parts"].items()
        if own
    ]
    leak = _leak_line(result["leakage"])
    return "\n\n".join([head, aligned(rows), aligned(each), *parts, leak])


def _part_rows(parts: dict[str, Any]) -> list[list[str]]:
    """The accuracy of each part."""
    return [[name, str(part["images"]), *_cells(part["accuracy"])] for name, part in parts.items()]


def _cells(figure: dict[str, float | None]) -> list[str]:
    """A figure and its interval as text."""
    if figure["value"] is None:
        return ["-", "-"]
    low, high = figure["low"], figure["high"]
    bounds = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else "-"
    return [f"{figure['value']:.3f}", bounds]


def _leak_line(leakage: dict[str, Any]) -> str:
    """One line on what the model had seen."""
    seen = leakage["copies"] + leakage["twins"] + leakage["same_group"]
    if not seen:
        return f"no known leak; compared {leakage['certificate']['compared']}"
    clean, leaked = leakage["clean"], leakage["leaked"]
    rest = (
        f"accuracy on the {clean['images']} clean ones {clean['accuracy']['value']:.3f}"
        if clean
        else "none is clean"
    )
    return (
        f"LEAK: {seen} images were seen in training ({leakage['copies']} as copies, "
        f"{leakage['twins']} as twins): accuracy on them {leaked['accuracy']['value']:.3f}, {rest}"
    )
