"""Owns the search for copies: made pictures in, the nearest training pictures and a verdict out.

A made picture is laid on every training picture as the audit lays twins. It is a copy where the
audit would call the two twins. Short of that, made pictures are suspicious where they lie nearer to
training pictures than unseen real ones do, both as they are and against their next neighbours: a
blurred picture is near to many, a copy to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from brainlens.core.files import replacing
from brainlens.data import symmetry
from brainlens.data.index import Index, Row
from brainlens.data.laying import TWIN
from brainlens.data.neighbours import Neighbours, described, neighbours
from brainlens.data.pictures import pictures
from brainlens.data.preprocess import Preprocessing
from brainlens.metrics.memorisation import LEVEL, nearness

Array = np.ndarray[Any, Any]
Document = dict[str, Any]
CLOSEST = 24  # pairs that are kept and shown
_COLUMNS, _TILE, _GAP, _LINE = 6, 96, 4, 14  # of the sheet, in pixels


def copying(
    index: Index, train: Sequence[Row], held: Sequence[Row], made: Array, names: Sequence[str],
    shape: Preprocessing,
) -> tuple[Document, list[Document]]:  # fmt: skip
    """What was found, and the closest pairs."""
    known = described(np.asarray(pictures(index, train, shape)))
    unseen = described(np.asarray(pictures(index, held, shape)))
    groups = [row.group for row in train]
    of_made = neighbours(described(made), known, groups)
    of_held = neighbours(unseen, known, groups)
    held_groups = np.unique([row.group for row in held], return_inverse=True)[1]
    return judged(of_made, of_held, held_groups), closest(of_made, train, names)


def judged(made: Neighbours, held: Neighbours, held_groups: Array) -> Document:
    """Copies counted, nearness tested, and what that says."""
    near = nearness(made.r, held.r, held_groups)
    lead = nearness(made.lead, held.lead, held_groups)
    copies, chance = int((made.r >= TWIN).sum()), float((held.r >= TWIN).mean())
    caught = copies / len(made.r) > chance or (near.suspicious and lead.suspicious)
    if copies:
        words = f"{copies} of {len(made.r)} are copies of training pictures (r >= {TWIN:g})"
    elif caught:
        words = "no copy, but nearer to training pictures than unseen real ones are"
    else:
        words = "no sign of copying"
    return {
        "copies": copies, "held_out_copies": chance, "threshold": TWIN, "level": LEVEL,
        "median_r": {"made": float(np.median(made.r)), "held_out": float(np.median(held.r))},
        "nearer": near.share.to_dict(), "nearer_by_lead": lead.share.to_dict(),
        "beyond": near.beyond, "caught": bool(caught), "words": words,
    }  # fmt: skip


def closest(made: Neighbours, train: Sequence[Row], names: Sequence[str]) -> list[Document]:
    """The made pictures nearest to a training picture, the nearest first."""
    order = np.argsort(-made.r, kind="stable")[:CLOSEST]
    return [
        {"made": names[k], "number": int(k), "train": train[int(made.nearest[k])].path,
         "r": round(float(made.r[k]), 4), "lead": round(float(made.lead[k]), 4),
         "transform": symmetry.NAMES[int(made.symmetry[k])]}
        for k in order
    ]  # fmt: skip


def closest_sheet(
    path: Path, index: Index, made: Array, pairs: Sequence[Document], shape: Preprocessing
) -> Path:
    """A picture of the closest pairs: left the made one, right the real one turned as it lies."""
    rows = {row.path: row for row in index.rows}
    high = _TILE + _LINE + _GAP
    lines = -(-len(pairs) // _COLUMNS)
    sheet = Image.new("L", (_COLUMNS * (2 * _TILE + 2 * _GAP), lines * high), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    real = np.asarray(pictures(index, [rows[pair["train"]] for pair in pairs], shape))
    for k, pair in enumerate(pairs):
        left, top = k % _COLUMNS * (2 * _TILE + 2 * _GAP), k // _COLUMNS * high
        turned = symmetry.turn(real[k : k + 1], symmetry.NAMES.index(pair["transform"]))[0]
        for place, pixels in enumerate((made[pair["number"]], turned)):
            tile = Image.fromarray(np.ascontiguousarray(pixels)).resize((_TILE, _TILE))
            sheet.paste(tile, (left + place * _TILE, top))
        pen.text((left + 2, top + _TILE), f"r {pair['r']:.3f}", fill=0, font=font)
    with replacing(path) as temporary:
        sheet.save(temporary, "PNG")
    return path
