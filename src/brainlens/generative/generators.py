"""Owns what enlarges: a checkpoint of any ESRGAN dialect, or an interpolation, as one function.

Enters: a weights file (`spandrel` knows the dialects) or the name of a kernel. Leaves: a Generator,
which maps (h, w, C) float32 of 0 to 1 to (sh, sw, C), grey pictures (C = 1) included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from brainlens.core.errors import ConfigError, WeightsError
from brainlens.core.interpolation import Kernel, resize
from brainlens.core.places import weights_folder
from brainlens.core.processors import Precision, choose_precision

Array = np.ndarray[Any, Any]
Method = Literal["esrgan", "bicubic", "bilinear", "nearest"]
DEFAULT = "rrdb_x4.realsr_df2k"  # RealSR DF2K (Ji 2020), an ESRGAN generator


@dataclass(frozen=True)
class Generator:
    """One way to enlarge a picture."""

    method: str
    weights: str  # the file's name; "" for an interpolation
    digest: str  # SHA-256 of the file; "" for an interpolation
    scale: int
    enlarge: Callable[[Array], Array]  # (h, w, 1 or 3) to (sh, sw, 1 or 3), not clipped
    network: Any = None  # the torch module behind it, where there is one
    precision: Precision = "32-true"


def interpolation(kernel: Kernel, scale: int) -> Generator:
    """One of the classics."""

    def enlarge(picture: Array) -> Array:
        return resize(picture, picture.shape[0] * scale, picture.shape[1] * scale, kernel)

    return Generator(kernel, "", "", scale, enlarge)


def weights_file(named: Path | None) -> Path:
    """The file named, else the default one of the weights folder; raises WeightsError."""
    if named is not None:
        if not named.is_file():
            raise WeightsError(f"{named}: no such weights file; expected an ESRGAN checkpoint")
        return named
    folder = weights_folder()
    file = folder / f"{DEFAULT}.safetensors" if folder else None
    if file is None or not file.is_file():
        raise WeightsError(
            f"weights of esrgan are not here. Put {DEFAULT}.safetensors into "
            f"{folder or 'a folder'} named by BRAINLENS_WEIGHTS, or give any ESRGAN checkpoint "
            "with --weights FILE, or use --method bicubic"
        )
    return file


def open_generator(
    method: Method = "esrgan", *, weights: Path | None = None, scale: int = 4,
    device: str = "auto", precision: Precision = "32-true",
) -> Generator:  # fmt: skip
    """The generator of a method; raises WeightsError for a checkpoint that does not enlarge so.

    `precision` "auto" is bf16 where the hardware has it; networks of other kinds stay in fp32.
    """
    if method in get_args(Kernel):
        return interpolation(method, scale)  # type: ignore[arg-type]
    file = weights_file(weights)
    network, channels = load_network(file, scale)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    where = choose_device(device)
    network, used = _laid_out(network.to(where), choose_precision(precision, where))
    enlarge = partial(through_channels, partial(_forward, network, where), channels)
    return Generator(method, file.name, digest, scale, enlarge, network, used)


def choose_device(name: str) -> str:
    """`cuda` or `cpu`; raises ConfigError for a GPU that is not there."""
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("device cuda: torch sees no GPU here. Use cpu or auto")
    return name if name != "auto" else "cuda" if there else "cpu"


def _laid_out(network: Any, precision: Precision) -> tuple[Any, Precision]:
    """Our own network with its channels last, which convolutions run through faster, and in bf16.

    Networks of other kinds stay as they are: they may look at their memory another way.
    """
    import torch

    from brainlens.generative.rrdb import RRDBNet, halved

    if not isinstance(network, RRDBNet):
        return network, "32-true"
    ours = network.to(memory_format=torch.channels_last)
    return (halved(ours), precision) if precision == "bf16-mixed" else (ours, "32-true")


def _forward(network: Any, device: str, x: Array) -> Array:
    """(1, C, h, w) float32 through the network, in the layout of its weights."""
    import torch

    tensor = torch.from_numpy(x).to(device)
    with torch.inference_mode():
        done: Array = network(tensor).float().cpu().numpy()
    return done


def through_channels(forward: Callable[[Array], Array], channels: int, picture: Array) -> Array:
    """A picture of 1 or 3 channels through a network of `channels`.

    Grey goes in three times and comes out as the mean; colour goes through a grey network channel
    by channel.
    """
    planes = picture.transpose(2, 0, 1)[None]  # (1, C, h, w)
    if channels == 3 and planes.shape[1] == 1:
        done = forward(np.repeat(planes, 3, 1)).mean(1, keepdims=True)
    elif channels == 1 and planes.shape[1] == 3:
        done = np.concatenate([forward(planes[:, c : c + 1]) for c in range(3)], 1)
    else:
        done = forward(np.ascontiguousarray(planes))
    return np.ascontiguousarray(done[0].transpose(1, 2, 0))


def read_state(file: Path) -> dict[str, Any]:
    """The weights of a checkpoint file: safetensors, or torch's format without code in it."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from spandrel import canonicalize_state_dict

    try:
        if file.suffix.lower() == ".safetensors":
            state: Any = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(f"{file}: cannot be read as weights ({_line(error)})") from None
    except Exception as error:  # pickle's errors have no common root
        raise WeightsError(
            f"{file}: is no file of weights alone ({type(error).__name__}): broken, or with code "
            "in it, which is never run. Convert it to safetensors where you trust it"
        ) from None
    state = canonicalize_state_dict(state) if isinstance(state, dict) else {}
    tensors = {k: v.float() for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise WeightsError(f"{file}: holds no weights; expected an ESRGAN checkpoint")
    return tensors


def load_network(file: Path, scale: int) -> tuple[Any, int]:
    """The network of a checkpoint, in evaluation mode, and its channels; WeightsError otherwise."""
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    from brainlens.generative.rrdb import build, modern_names

    wanted = f"expected a generator that enlarges {scale} times (ESRGAN, Real-ESRGAN, RealSR)"
    try:
        found = ModelLoader().load_from_state_dict(read_state(file))
    except UnsupportedModelError:
        raise WeightsError(f"{file}: is no known generator; {wanted}") from None
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"{file}: is a broken generator ({_line(error)}); {wanted}") from None
    if not isinstance(found, ImageModelDescriptor) or found.purpose != "SR":
        raise WeightsError(f"{file}: is {found.architecture.name} for {found.purpose}; {wanted}")
    if found.scale != scale:
        raise WeightsError(f"{file}: enlarges {found.scale} times; {wanted}. See --scale")
    if found.input_channels != found.output_channels or found.input_channels not in (1, 3):
        raise WeightsError(f"{file}: has {found.input_channels} channels; {wanted} of 1 or 3")
    plain = found.architecture.id == "ESRGAN" and not {"unshuffle", "ESRGAN+"} & set(found.tags)
    if plain:  # our own network is the same and the faster one
        return build(modern_names(found.model.state_dict())), found.input_channels
    return found.eval(), found.input_channels


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__
