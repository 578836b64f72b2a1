"""Owns heat maps as files: the picture with what the model looked at, in colour.

Enters: an answer that still has its pixels, and the preprocessing it was made with. Leaves: a PNG,
the evidence laid back on the picture it came from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from brainlens.core.files import replacing
from brainlens.data.answers import Answer
from brainlens.data.preprocess import Array, Preprocessing
from brainlens.data.scans import Picture

_STRENGTH = 0.6  # of the colour where the evidence is 1


def laid_back(heat: Array, grey: Array, preprocessing: Preprocessing, side: int = 0) -> Array:
    """(H, W) float32 0..1: the (h, w) evidence of the network's input on the picture (H, W).

    With `side`, that of a picture made smaller, at most so many pixels a side.
    """
    frame, size = preprocessing.frame(grey), preprocessing.size
    scale = max(1.0, max(grey.shape) / side) if side else 1.0
    height, width = (max(1, round(one / scale)) for one in grey.shape)
    across, down = (grey.shape[1] / width) * frame.across, (grey.shape[0] / height) * frame.down
    image = Image.fromarray(heat.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    # Each pixel of the picture looks up its place in the input.
    placed = image.transform(
        (width, height), Image.Transform.AFFINE,
        (across, 0, frame.pad_left - frame.left * frame.across,
         0, down, frame.pad_top - frame.top * frame.down),
        Image.Resampling.BILINEAR,
    )  # fmt: skip
    return np.asarray(np.clip(np.asarray(placed), 0, 1))


def coloured(grey: Array, heat: Array) -> Array:
    """(H, W, 3) uint8: the picture in grey, the evidence from yellow to red over it."""
    rgb = np.repeat(grey[..., None].astype(np.float32), 3, 2)
    warm = np.stack([np.full_like(heat, 255), 220 * (1 - heat), np.zeros_like(heat)], 2)
    share = (_STRENGTH * np.minimum(1, 2 * heat))[..., None]
    mixed = np.rint(rgb * (1 - share) + warm * share)
    return np.asarray(mixed, np.uint8)


def write_heatmap(answer: Answer, preprocessing: Preprocessing, folder: Path) -> Path | None:
    """Write one answer's picture; None where the model has no evidence to show, or refuses."""
    finding, picture = answer.finding, answer.picture
    if finding.heat is None or finding.refusal:
        return None
    path = folder / f"{_name(picture)}.png"
    shown = coloured(picture.grey, laid_back(finding.heat, picture.grey, preprocessing))
    with replacing(path) as temporary:
        Image.fromarray(shown).save(temporary, "PNG")
    return path


def _name(picture: Picture) -> str:
    """A file name that says where the picture came from."""
    path = Path(picture.path)
    parts = [path.parent.name, path.name.replace(".", "-")]
    parts += [f"{picture.number:04d}"] if picture.slices > 1 else []
    return "-".join(part for part in parts if part)
