"""Owns the stage `synth score`: made pictures and the index they should be like in, figures out.

    SCORE/ score.json  closest.png (made pictures, each beside the nearest training one)

All pictures are seen at the generator's size. The training pictures of a class are parted into
halves by group; made pictures are compared with the first half, and so are the second half (the
floor: as near as real ones come) and noise (the ceiling), all of one number. Copying is looked for
among all training pictures, and held against pictures that the generator never saw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import IndexFileError, SplitError
from brainlens.core.files import fresh_folder, write_json
from brainlens.core.progress import say
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import generator
from brainlens.data.index import Index, Row, read_index
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Preprocessing
from brainlens.data.synthetic import SOURCE, note
from brainlens.generative.synthrun import FILE, open_generator
from brainlens.metrics.fidelity import (
    fid_figure,
    kid_difference,
    kid_figure,
    prdc,
    spread,
)
from brainlens.synthesis.copying import closest_sheet, copying

Array = np.ndarray[Any, Any]
Document = dict[str, Any]
Features = Callable[[Array], Array]
LEAST = 10  # pictures that a figure needs
MOST = 300  # made pictures drawn of a run that is scored itself
FIGURES = ("fid", "kid", "precision", "recall", "density", "coverage", "spread")
_NARROW = 0.5  # of the floor's coverage: less is a collapsed generator


@dataclass(frozen=True)
class Made:
    """Made pictures of one class."""

    pictures: Array  # (N, size, size) uint8
    names: list[str]


def score(
    made: Path, against: Path, out: Path, features: Mapping[str, Features], *,
    limit: int = MOST, rival: Path | None = None, overwrite: bool = False,
) -> Document:  # fmt: skip
    """Judge a folder of made pictures, or a generator's run; answers what score.json holds.

    `rival` is another one, measured beside it on the same real pictures.
    """
    started, clock = now(), time.monotonic()
    index = read_index(against)
    found, size, facts = _read_checked(made, index, against, limit)
    others, _, facts_of_rival = _read_checked(rival or made, index, against, limit)
    fresh_folder(out, overwrite=overwrite, kind="score of synthetic images")
    document: Document = {
        "made": str(made), "size": size, "generator": facts, "classes": {},
        "index": {"path": str(against), "digest": index.digest()},
    } | ({"rival": str(rival), "rival_generator": facts_of_rival} if rival else {})  # fmt: skip
    for label, own in found.items():
        say(f"scoring {len(own.pictures)} pictures of {label}")
        other = others.get(label) if rival else None
        document["classes"][label] = _score_class(
            index, against, label, own, features, size, out, other
        )
    record = provenance("synth-score", 0, started, time.monotonic() - clock)
    document = record | document | {"answer": answer(document)}
    write_json(out / "score.json", document)
    return document


def _read_checked(
    made: Path, index: Index, against: Path, limit: int
) -> tuple[dict[str, Made], int, Document]:
    """Pictures by class, their size and facts; refuses those of a generator of another index."""
    found, source, size, facts = read_made(made, limit)
    if source != index.digest():
        raise IndexFileError(
            f"{made}: its generator learned from another state of the index (digest "
            f"{source[:12] or 'unknown'}) than {against} ({index.digest()[:12]}), so what it never "
            "saw is unknown. Score it against the index it learned from"
        )
    return found, size, facts


def read_made(made: Path, limit: int) -> tuple[dict[str, Made], str, int, Document]:
    """Pictures by class, the digest their generator learned from, their size, its facts."""
    if (made / FILE).is_file() or not (made / "index.csv").is_file():
        source = open_generator(made)
        found = {
            label: Made(source.pictures(range(limit), label).numpy(),
                        [f"{label}, seed {seed}" for seed in range(limit)])
            for label in source.labels
        }  # fmt: skip
        size = next(iter(found.values())).pictures.shape[1]
        return found, str(source.facts["index_digest"]), size, source.facts
    index = read_index(made / "index.csv")
    size = max(row.width for row in index.rows)
    found = {}
    for label in index.labels:
        rows = [row for row in index.rows if row.label == label]
        seen = np.asarray(pictures(index, rows, Preprocessing(size)))
        found[label] = Made(seen, [row.path for row in rows])
    first = index.rows[0]
    facts = {"recipe": first.origin, "generator": note(first, "generator")}
    return found, note(first, SOURCE), size, facts


def halves(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Two halves of about equal size that share no group."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    names = sorted(groups)
    order = generator(0, "halves").permutation(len(names))
    sides: tuple[list[Row], list[Row]] = ([], [])
    for k in sorted(order, key=lambda k: -len(groups[names[k]])):
        smaller = sides[0] if len(sides[0]) <= len(sides[1]) else sides[1]
        smaller += groups[names[k]]
    return sides


def _score_class(
    index: Index, path: Path, label: str, made: Made, features: Mapping[str, Features], size: int,
    out: Path, other: Made | None,
) -> Document:  # fmt: skip
    """Everything about one class; `other` are a rival's pictures."""
    real = [row for row in index.of("train") if row.label == label and row.origin == "real"]
    held = [row for row in index.of("test") + index.of("val") if row.label == label]
    sides = halves(real)
    drawn = [made.pictures, *([other.pictures] if other else [])]
    count = min(len(sides[0]), len(sides[1]), *map(len, drawn))
    if count < LEAST or len(held) < LEAST:
        raise SplitError(
            f"{path}: class {label!r} gives {count} pictures a side and {len(held)} held out; "
            f"expected at least {LEAST}: of fewer every figure is chance. Draw more, or add scans"
        )
    shape = Preprocessing(size)
    first, second = (np.asarray(pictures(index, side[:count], shape)) for side in sides)
    rivals = {"made": made.pictures[:count], "real": second, "noise": _noise(second)}
    if other:
        rivals["rival"] = _fitted(other.pictures[:count], shape)
    groups = np.unique([row.group for row in sides[0][:count]], return_inverse=True)[1]
    figures = {
        name: _figures(function, first, rivals, groups) for name, function in features.items()
    }
    found, pairs = copying(index, real, held, made.pictures, made.names, shape)
    closest_sheet(out / f"closest-{label}.png", index, made.pictures, pairs, shape)
    return {"pictures": {"made": len(made.pictures), "compared": count, "train": len(real),
                         "held_out": len(held)},
            "figures": figures, "copying": found, "closest": pairs}  # fmt: skip


def _fitted(drawn: Array, shape: Preprocessing) -> Array:
    """A rival's pictures at the size of the others."""
    return np.stack([shape.picture(one) for one in drawn])


def _noise(real: Array) -> Array:
    """Pictures of independent pixels with the real ones' tones."""
    draw = generator(0, "noise")
    return np.asarray(draw.choice(real.ravel(), size=real.shape))


def _figures(
    function: Features, first: Array, rivals: Mapping[str, Array], groups: Array
) -> Document:
    """FID, KID, manifolds and spread of every rival against the first half."""
    real = function(first)
    found: Document = {}
    seen_all = {name: function(drawn) for name, drawn in rivals.items()}
    for name, seen in seen_all.items():
        found[name] = {
            "fid": fid_figure(real, seen).to_dict(),
            "kid": kid_figure(real, seen, group=groups).to_dict(),
            **{key: figure.to_dict() for key, figure in prdc(real, seen).items()},
            "spread": {"value": spread(seen), "low": None, "high": None},
        }
    if "rival" in seen_all:
        gap = kid_difference(real, seen_all["rival"], seen_all["made"], group=groups)
        found["rival_kid_less_made"] = gap.to_dict()
    return found


def narrow(figures: Document) -> bool:
    """Whether made pictures cover less than half of what as many real ones cover."""
    return bool(
        figures["made"]["coverage"]["value"] < _NARROW * figures["real"]["coverage"]["value"]
    )


def answer(document: Document) -> str:
    """What a newcomer takes home, a sentence or two a class."""
    said = []
    for label, own in document["classes"].items():
        name, figures = next(iter(own["figures"].items()))
        made, real, noise = (figures[rival]["kid"]["value"] for rival in ("made", "real", "noise"))
        words = f"{label}: KID {made:.3f} (real against real {real:.3f}, noise {noise:.3f}; {name})"
        gap = figures.get("rival_kid_less_made")
        if gap and gap["low"] is not None:
            words += (
                f"; the rival's KID less this one's {gap['value']:+.3f} (95 % {gap['low']:+.3f} "
                f"to {gap['high']:+.3f})"
            )
        if narrow(figures):
            words += (
                f"; narrow: it covers {figures['made']['coverage']['value']:.0%} of the real "
                f"pictures, as many real ones {figures['real']['coverage']['value']:.0%}"
            )
        said.append(f"{words}; {own['copying']['words']}.")
    return " ".join(said)
