"""Owns weights learned on ImageNet: from the weights folder, else by timm's own download.

Enters: timm's name of them. Leaves: a state dict and the place it came from; WeightsError, with
what to do `otherwise`, where they can be had from neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from brainlens.core.errors import WeightsError
from brainlens.core.places import weights_folder

if TYPE_CHECKING:
    from torch import Tensor


def pretrained_state(
    weights: str, *, download: str = "", otherwise: str
) -> tuple[dict[str, Tensor], str]:
    """The state of `<weights>.safetensors`, or of timm's `download`; and the place it is from."""
    folder = weights_folder()
    file = folder / f"{weights}.safetensors" if folder else None
    if file is not None and file.is_file():
        return _read(file, otherwise), str(file)
    name = download or weights
    try:
        return _download(name), f"timm download of {name}"
    except Exception as error:  # the hub's client raises a dozen kinds, none of them of one root
        where = f"{folder} or another folder" if folder else "a folder"
        raise WeightsError(
            f"pretrained weights {weights} are not reachable ({type(error).__name__}). Put "
            f"{weights}.safetensors into {where} named by BRAINLENS_WEIGHTS, or go online once, "
            f"or {otherwise}"
        ) from None


def _read(file: Path, otherwise: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{file}: is no readable safetensors file ({error}). Copy it again, or {otherwise}"
        ) from None


def _download(name: str) -> dict[str, Tensor]:
    """timm's own download, or its cache."""
    import timm
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    try:
        # Without a network the hub's client asks six times a file before it looks into its cache.
        constants.HF_HUB_OFFLINE = offline or not _hub_answers()
        return dict(timm.create_model(name, pretrained=True).state_dict())
    finally:
        constants.HF_HUB_OFFLINE = offline


def _hub_answers(patience: float = 5.0) -> bool:
    """Whether the hub can be reached within so many seconds; any answer counts."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=patience)
    except Exception:  # its HTTP library's kinds changed between versions
        return False
    return True
