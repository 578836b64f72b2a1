"""Owns the settings of training a style, and what of them describes a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from brainlens.core.errors import ConfigError
from brainlens.core.processors import Precision


@dataclass(frozen=True)
class StyleConfig:
    """Flat: any of these can be set on the command line."""

    generator: Literal["unet", "resnet"] = "unet"  # the seed's, or the paper's
    light: bool = False  # depthwise-separable convolutions
    width: int = 64  # channels of the first layer
    depth: int = 8  # halvings of a U-Net
    blocks: int = 9  # residual blocks of a ResNet
    dropout: float = 0.5  # of the three deepest steps up of a U-Net
    residual: bool = False  # draw the change instead of the picture
    judge_width: int = 64
    judge_layers: int = 3  # 3 judges patches of 70 pixels, 2 of 34
    load: int = 286  # pixels of the shorter side before a crop is taken
    load_least: int = 286  # drawn between this and `load`
    crop: int = 256  # pixels a side
    batch_size: int = 1
    steps: int = 10000
    decay_steps: int = 5000  # of them, in which the learning rate falls to 0
    every: int = 500  # steps between two sheets, lines and checkpoints
    learning_rate: float = 2e-4
    judge_rate: float = 2e-4
    cycle: float = 10.0  # weight of there and back
    identity: float = 5.0  # weight of leaving alone what is a painting already; 0 saves a third
    texture: float = 0.0  # weight of the distance to the paintings' texture, seen by VGG16
    content: float = 0.0  # weight of the distance to the photo's content, seen by VGG16
    pool: int = 50  # drawn pictures of before that the judges see
    held_out: int = 5  # every so many pictures of each side are kept for the score
    sheet: int = 6  # held-out photos on a sheet
    grey: bool = False  # scans: one channel, shown to the networks as three
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "auto"  # bf16 where the hardware has it


def generator_shape(config: StyleConfig) -> dict[str, Any]:
    """What `cyclegan.build` makes the generators of."""
    shape: dict[str, Any] = {"kind": config.generator, "width": config.width}
    shape |= {"light": config.light, "residual": config.residual}
    if config.generator == "unet":
        return shape | {"depth": config.depth, "dropout": config.dropout}
    return shape | {"blocks": config.blocks}


def multiple(shape: dict[str, Any]) -> int:
    """What the sides of a picture must be multiples of."""
    return 2 ** int(shape["depth"]) if shape["kind"] == "unet" else 4


def check(config: StyleConfig) -> None:
    """Refuse what cannot be trained."""
    for name in ("width", "depth", "blocks", "judge_width", "judge_layers", "batch_size", "steps",
                 "every", "sheet"):  # fmt: skip
        if getattr(config, name) < 1:
            raise ConfigError(f"{name}={getattr(config, name)}: expected 1 or more")
    for name in ("cycle", "identity", "texture", "content", "pool", "decay_steps"):
        if getattr(config, name) < 0:
            raise ConfigError(f"{name}={getattr(config, name)}: expected 0 or more")
    if config.held_out < 2:
        raise ConfigError(f"held_out={config.held_out}: expected 2 or more (every second, ...)")
    if config.steps % config.every:
        raise ConfigError(f"steps={config.steps}: expected a multiple of every={config.every}")
    if config.decay_steps > config.steps:
        raise ConfigError(f"decay_steps={config.decay_steps}: expected at most steps")
    if not config.crop <= config.load_least <= config.load:
        raise ConfigError(
            f"crop={config.crop}, load_least={config.load_least}, load={config.load}: expected "
            "each at most as large as the next"
        )
    if config.crop % multiple(generator_shape(config)):
        number = multiple(generator_shape(config))
        raise ConfigError(f"crop={config.crop}: expected a multiple of {number} (2 ** depth)")
    if config.crop < 8 * 2**config.judge_layers:
        raise ConfigError(f"crop={config.crop}: too small for judge_layers={config.judge_layers}")
    if not 0 <= config.dropout < 1:
        raise ConfigError(f"dropout={config.dropout}: expected 0 or more, and less than 1")
