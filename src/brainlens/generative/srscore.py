"""Owns `upscale score`: pictures are made small, restored by every method, and compared.

The field's protocol: cropped to a multiple of the scale, MATLAB's bicubic at 1/4, rounded to 8
bits, restored, 4 pixels of border left out. `kspace` makes small what an MR scanner would have.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlens.core.errors import ImageError, UserError
from brainlens.core.images import find_images
from brainlens.core.interpolation import shrink as shrink_bicubic
from brainlens.core.progress import say, track
from brainlens.core.provenance import now, provenance
from brainlens.core.scanfiles import find_scans, read_slices
from brainlens.data.index import read_index
from brainlens.generative.enlarging import enlarged
from brainlens.generative.generators import Generator
from brainlens.generative.pictures import Picture, of_slice, read_picture
from brainlens.metrics.restoration import psnr_rgb, psnr_y, ssim_y

Array = np.ndarray[Any, Any]
LEAST = 64  # pixels a side of an original
EQUAL = 100.0  # dB that stand for no difference at all
FIGURES = {"psnr_y": "PSNR-Y dB", "ssim_y": "SSIM-Y", "lpips": "LPIPS", "psnr_rgb": "PSNR-RGB dB"}


def score_folder(
    folder: Path, generators: Sequence[Generator], *, shrink: str = "bicubic",
    limit: int | None = None, lpips: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Every figure of every picture and method, and their means; raises UserError kinds."""
    started, clock = now(), time.monotonic()
    files = originals(folder)
    if limit and limit < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, limit).round().astype(int)]
    measure = None
    if lpips:
        from brainlens.generative.lpips import Lpips

        measure = Lpips()
    rows: list[dict[str, Any]] = []
    skipped = 0
    for file in track(files, "scoring", len(files)):
        try:
            original = _original(file, generators[0].scale)
        except ImageError as error:
            say(f"skipped {error}")
            skipped += 1
            continue
        rows += _score(file, original, generators, shrink, measure)
    if not rows:
        raise UserError(f"{folder}: holds no picture of at least {LEAST} x {LEAST} pixels")
    return {
        **provenance("upscale-score", 0, started, time.monotonic() - clock),
        "folder": folder.name,
        "images": len({row["image"] for row in rows}),
        "skipped": skipped,
        "shrink": shrink,
        "scale": generators[0].scale,
        "border": 4,
        "methods": {
            g.method: {"weights": g.weights, "digest": g.digest, "precision": g.precision}
            for g in generators
        },
        "mean": {g.method: _mean(rows, g.method) for g in generators},
        "rows": rows,
    }


def originals(folder: Path) -> list[Path]:
    """The pictures and scans of a folder, or the test rows of an index; UserError for none."""
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; expected pictures, or an index")
    if folder.suffix == ".csv":
        index = read_index(folder)
        files = [index.file(row) for row in index.of("test")]
    else:
        files = [*find_images(folder), *find_scans(folder)] if folder.is_dir() else [folder]
    if not files:
        raise UserError(f"{folder}: holds no image and no scan to score")
    return files


def _original(file: Path, scale: int) -> Array:
    """(H, W) or (H, W, 3) uint8, cropped to a multiple of the scale; a volume's middle slice."""
    from brainlens.core.scanfiles import is_scan

    if is_scan(file):
        planes = list(read_slices(file))
        picture = of_slice(planes[len(planes) // 2])
    else:
        picture = read_picture(file)
    if picture.deep or picture.alpha:
        raise ImageError(file, "16 bits or alpha", "an 8-bit picture to score")
    height, width = picture.height // scale * scale, picture.width // scale * scale
    if min(height, width) < LEAST:
        got = f"{picture.width} x {picture.height} pixels"
        raise ImageError(file, got, f"at least {LEAST} a side")
    pixels = picture.pixels[:height, :width]
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def made_small(original: Array, scale: int, shrink: str) -> Array:
    """The small picture, 8 bits, of the original's rank."""
    if shrink == "bicubic":
        small = shrink_bicubic(original, scale)
    else:
        import torch

        from brainlens.generative.degradation import kspace

        planes = original[None] if original.ndim == 2 else original.transpose(2, 0, 1)
        coarse = kspace(torch.from_numpy(planes[:, None].astype(np.float32)), scale)[:, 0].numpy()
        small = coarse[0] if original.ndim == 2 else coarse.transpose(1, 2, 0)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def restored(small: Array, generator: Generator) -> Array:
    """What a method makes of a small picture, uint8 of the same rank."""
    pixels = small[..., None] if small.ndim == 2 else small
    done = enlarged(Picture("", pixels, 0.0, 255.0), generator)
    return done[..., 0] if small.ndim == 2 else done


def _score(
    file: Path, original: Array, generators: Sequence[Generator], shrink: str, measure: Any
) -> list[dict[str, Any]]:
    """The figures of one picture, a row a method."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    rows = []
    maps = measure.maps(original) if measure is not None else None
    for generator in generators:
        result = restored(made_small(original, generator.scale, shrink), generator)
        row: dict[str, Any] = {
            "image": file.name,
            "digest": digest,
            "method": generator.method,
            "psnr_y": round(min(psnr_y(original, result), EQUAL), 4),
            "ssim_y": round(ssim_y(original, result), 5),
            "psnr_rgb": round(min(psnr_rgb(original, result), EQUAL), 4),
        }
        if measure is not None:
            row["lpips"] = round(measure.between(maps, measure.maps(result)), 5)
        rows.append(row)
    return rows


def _mean(rows: Sequence[dict[str, Any]], method: str) -> dict[str, float]:
    own = [row for row in rows if row["method"] == method]
    return {
        name: round(float(np.mean([row[name] for row in own])), 5)
        for name in FIGURES
        if name in own[0]
    }


def score_table(result: dict[str, Any]) -> str:
    """The means as text, a line a method."""
    lines = [f"{result['folder']}: {result['images']} pictures, shrunk by {result['shrink']}"]
    names = [name for name in FIGURES if name in next(iter(result["mean"].values()))]
    lines.append("method".ljust(10) + "".join(FIGURES[name].rjust(13) for name in names))
    for method, figures in result["mean"].items():
        cells = [f"{figures[name]:.2f}" if "psnr" in name else f"{figures[name]:.4f}"
                 for name in names]  # fmt: skip
        lines.append(method.ljust(10) + "".join(cell.rjust(13) for cell in cells))
    return "\n".join(lines)
