"""Owns `style score`: held-out photos are painted, and compared with the paintings.

FID and KID in Inception's features (`inception.py`), beside two anchors: the photos as they are,
and one half of the paintings against the other. The cycle error: how much of a photo comes back.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from brainlens.core.errors import UserError
from brainlens.core.progress import track
from brainlens.core.provenance import now, provenance
from brainlens.generative.generators import choose_device
from brainlens.generative.stylegenerators import PAINTING, PHOTO, load_direction, weights_of
from brainlens.generative.stylepictures import (
    Array,
    as_pixels,
    as_tensor,
    divided,
    find_side,
    fitted,
    read_colour,
)

LEAST = 10  # pictures a side: resamples of fewer may hold one picture alone
FIGURES = {"kid": "KID x 1000", "fid": "FID"}


def score(
    run: Path, photos: str, paintings: str, *, everything: bool = False, size: int = 256,
    device: str = "auto",
) -> dict[str, Any]:  # fmt: skip
    """Every figure of a run on the photos and paintings that it did not learn from.

    `everything` takes all pictures instead, for folders that the run has never seen.
    """
    started, clock = now(), time.monotonic()
    where = choose_device(device)
    networks = {name: load_direction(run, name) for name in (PAINTING, PHOTO)}
    meaning = networks[PAINTING][1]
    sides = {}
    for name, source in (("photos", photos), ("paintings", paintings)):
        files = find_side(source)
        kept = files if everything else divided(files, int(meaning["held_out"]))[1]
        if len(kept) < LEAST:
            raise UserError(f"{source}: {len(kept)} pictures to score; expected {LEAST} or more")
        sides[name] = [square(read_colour(f, grey=meaning["grey"]), size) for f in kept]
    made, errors = _painted(sides["photos"], networks, where)
    figures = _distances(sides["paintings"], {"painted": made, "photos as they are":
                         sides["photos"]}, where)  # fmt: skip
    network = networks[PAINTING][0]
    return {
        **provenance("style-score", 0, started, time.monotonic() - clock),
        "run": run.name,
        "weights_digest": hashlib.sha256(weights_of(run, PAINTING).read_bytes()).hexdigest(),
        "steps": meaning["steps"],
        "shape": meaning["shape"],
        "held_out": not everything,
        "photos": len(sides["photos"]),
        "paintings": len(sides["paintings"]),
        "size": size,
        "figures": figures,
        "cycle_l1": round(float(np.mean(errors["back"])), 3),
        "change_l1": round(float(np.mean(errors["there"])), 3),
        "parameters": sum(p.numel() for p in network.parameters()),
        "macs": macs(network, size),
    }


def square(pixels: Array, size: int) -> Array:
    """The middle square, `size` pixels a side."""
    pixels = fitted(pixels, size)
    top, left = ((side - size) // 2 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])


def _painted(
    photos: Sequence[Array], networks: dict[str, tuple[nn.Module, Any]], device: str
) -> tuple[list[Array], dict[str, list[float]]]:
    """Every photo as a painting; and how far, in grey levels, painting and return are from it."""
    there, back = (networks[name][0].to(device) for name in (PAINTING, PHOTO))
    made, errors = [], dict[str, list[float]](there=[], back=[])
    with torch.inference_mode():
        for pixels in track(photos, "painting", len(photos)):
            photo = as_tensor(pixels)[None].to(device)
            painted = there(photo)
            for name, one in (("there", painted), ("back", back(painted))):
                errors[name].append(float((one.clamp(-1, 1) - photo).abs().mean()) * 127.5)
            made.append(as_pixels(painted[0]))
    return made, errors


def _distances(
    paintings: Sequence[Array], sets: dict[str, Sequence[Array]], device: str
) -> dict[str, Any]:
    """FID and KID of every set to the paintings, with intervals."""
    from brainlens.generative.inception import inception_features
    from brainlens.metrics.fidelity import fid_figure, kid_difference, kid_figure

    real = inception_features(paintings, device=device)
    features = {name: inception_features(one, device=device) for name, one in sets.items()}
    found: dict[str, Any] = {
        name: {"fid": fid_figure(real, one).to_dict(), "kid": kid_figure(real, one).to_dict()}
        for name, one in features.items()
    }
    half = len(real) // 2
    if half >= LEAST:
        found["paintings, one half to the other"] = {
            "fid": fid_figure(real[:half], real[half:]).to_dict(),
            "kid": kid_figure(real[:half], real[half:]).to_dict(),
        }
    first, second = features.values()
    found["painted less photos"] = {"kid": kid_difference(real, first, second).to_dict()}
    return found


def macs(network: nn.Module, size: int) -> int:
    """Multiplications of one picture of size x size, counted by torch as half its operations."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.zeros(1, 3, size, size, device=next(network.parameters()).device))
    return int(counter.get_total_flops()) // 2


def score_table(result: dict[str, Any]) -> str:
    """The figures as text."""
    kept = "held-out " if result["held_out"] else ""
    lines = [f"{result['photos']} {kept}photos, {result['paintings']} {kept}paintings, "
             f"{result['size']} px"]  # fmt: skip
    for name, figures in result["figures"].items():
        cells = []
        for key, one in figures.items():
            times = 1000 if key == "kid" else 1
            between = ""
            if one["low"] is not None:
                between = f" ({one['low'] * times:.1f} to {one['high'] * times:.1f})"
            cells.append(f"{FIGURES[key]} {one['value'] * times:.1f}{between}")
        lines.append(f"{name:<34} " + ", ".join(reversed(cells)))
    lines.append(
        f"change {result['change_l1']:.1f}, cycle error {result['cycle_l1']:.1f} grey levels"
    )
    lines.append(
        f"{result['parameters']:,} parameters, {result['macs'] / 1e9:.2f} G multiplications"
    )
    return "\n".join(lines)
