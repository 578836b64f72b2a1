"""Owns the honest check of a harmonised scan: is the tumour still what it was?

Enters: a generator trained on two looks of scans, a folder with `manifest.csv` (`file`,
`figshare_id`, `slice_run`) and the outlines of its tumours in 512 px coordinates. Leaves: how much
pixels change inside the outlines and outside them, and what becomes of the tumour's contrast.
"""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from brainlens.core.errors import UserError
from brainlens.core.progress import track
from brainlens.core.provenance import now, provenance
from brainlens.generative.stylegenerators import load_direction
from brainlens.generative.stylepictures import Array, as_pixels, as_tensor, read_colour
from brainlens.metrics.resampling import group_draws, interval

OUTLINES = "figshare_tumour_borders.json.gz"
DRAWN_AT = 512  # pixels of the slices that were outlined
HEAD = 25  # grey levels: what is darker is air
_RING = 15  # pixels (a filter's size) around an outline that its contrast is taken against


@dataclass(frozen=True)
class Outlined:
    """A scan whose tumour is outlined."""

    file: Path
    outline: list[list[float]]
    group: str  # neighbouring slices of one patient


def find_outlined(folder: Path, part: str = "") -> list[Outlined]:
    """The scans with an outline, and `part` in their path; raises UserError for none."""
    try:
        with gzip.open(folder / OUTLINES, "rt", encoding="utf-8") as stream:
            outlines = json.load(stream)
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if part in row["file"]]
        found = [
            Outlined(folder / row["file"], outlines[row["figshare_id"]], row["slice_run"])
            for row in rows
            if row["figshare_id"] in outlines
        ]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{folder}: has no readable manifest.csv and {OUTLINES} "
            f"({' '.join(str(error).split())})"
        ) from None
    if not found:
        raise UserError(f"{folder}: holds no outlined tumour{f' with {part!r}' if part else ''}")
    return found


def mask(outline: Sequence[Sequence[float]], size: tuple[int, int]) -> Array:
    """(H, W) bool: what lies inside an outline that was drawn at 512 x 512."""
    height, width = size
    page = Image.new("1", (width, height))
    scaled = [(x * width / DRAWN_AT, y * height / DRAWN_AT) for x, y in outline]
    ImageDraw.Draw(page).polygon(scaled, fill=1)
    return np.asarray(page)


def changes(before: Array, after: Array, inside: Array) -> dict[str, float] | None:
    """Grey levels of change inside and outside, and of contrast before and after; None for no head.

    Contrast is the tumour's mean less that of the ring around it.
    """
    from scipy.ndimage import maximum_filter

    ring = maximum_filter(inside, _RING) & ~inside
    outside = (before > HEAD) & ~inside
    if not (inside.any() and ring.any() and outside.any()):
        return None
    one, other = before.astype(float), after.astype(float)
    moved = np.abs(other - one)
    return {
        "inside": float(moved[inside].mean()),
        "outside": float(moved[outside].mean()),
        "contrast_before": float(one[inside].mean() - one[ring].mean()),
        "contrast_after": float(other[inside].mean() - other[ring].mean()),
    }


def check_outlines(
    run: Path, folder: Path, *, part: str = "", direction: str = "to_painting",
    limit: int | None = None, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """The check over every outlined scan, with intervals over runs of neighbouring slices."""
    started, clock = now(), time.monotonic()
    network, meaning = load_direction(run, direction)
    found = find_outlined(folder, part)
    if limit and limit < len(found):
        found = [found[i] for i in np.linspace(0, len(found) - 1, limit).round().astype(int)]
    rows, groups = [], []
    for one in track(found, "checking", len(found)):
        before = read_colour(one.file, grey=True)
        after = harmonised(network, before, int(meaning["multiple"]))
        row = changes(before[..., 0], after[..., 0], mask(one.outline, before.shape[:2]))
        if row is not None:
            rows.append(row)
            groups.append(one.group)
    if not rows:
        raise UserError(f"{folder}: no outlined tumour lies inside a head; nothing can be said")
    return {
        **provenance("style-outlines", seed, started, time.monotonic() - clock),
        "run": run.name,
        "direction": direction,
        "steps": meaning["steps"],
        "part": part,
        "scans": len(rows),
        "groups": len(set(groups)),
        "figures": figures(rows, groups, seed),
    }


def harmonised(network: torch.nn.Module, pixels: Array, multiple: int) -> Array:
    """A grey scan (H, W, 3) through the network, mirrored to whole steps and cut again."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % multiple), (0, -width % multiple), (0, 0)), "symmetric")
    with torch.inference_mode():
        drawn = network(as_tensor(padded)[None])[0].mean(0, keepdim=True).expand(3, -1, -1)
    return as_pixels(drawn)[:height, :width]


def figures(
    rows: Sequence[dict[str, float]], groups: Sequence[str], seed: int
) -> dict[str, dict[str, float | None]]:
    """Means, the ratio of change inside to outside, and the share of contrast that is left.

    A ratio of 1 means that tumours change as everything does; a share of 1 that they stand out as
    before. Both are ratios of sums, so that no scan without contrast divides by zero. Of a network
    that changes nothing the first ratio has no value: None.
    """
    values = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    sign = np.sign(values["contrast_before"])
    sums = {
        "inside": values["inside"],
        "outside": values["outside"],
        "before": values["contrast_before"] * sign,
        "after": values["contrast_after"] * sign,
    }
    names = sorted(set(groups))
    number = {name: i for i, name in enumerate(names)}
    own = np.array([number[group] for group in groups])
    draws = group_draws(len(names), 1000, seed)[:, own]
    draws = np.vstack([np.ones(len(rows)), draws])  # the first is the sample itself
    totals = {key: draws @ value for key, value in sums.items()}
    counted = {
        "change_inside": totals["inside"] / draws.sum(1),
        "change_outside": totals["outside"] / draws.sum(1),
        "inside_to_outside": _ratio(totals["inside"], totals["outside"]),
        "contrast_left": totals["after"] / totals["before"],
    }
    found: dict[str, dict[str, float | None]] = {}
    for name, drawn in counted.items():
        low, high = interval(drawn[1:]) or (None, None)
        known = bool(np.isfinite(drawn[0]))
        found[name] = {"value": float(drawn[0]) if known else None, "low": low, "high": high}
    return found


def _ratio(above: Array, below: Array) -> Array:
    """The quotient, nan where there is nothing below."""
    return np.asarray(np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0))
