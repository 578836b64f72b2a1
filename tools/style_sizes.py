"""Counts the generators of CycleGAN: `python -m tools.style_sizes` prints parameters and work."""

from __future__ import annotations

from dataclasses import replace

from brainlens.core.config import resolve
from brainlens.generative.cyclegan import build
from brainlens.generative.styleconfig import StyleConfig, generator_shape
from brainlens.generative.stylescore import macs
from brainlens.recipes import read_recipe
from brainlens.report.columns import aligned

SIDE = 256  # pixels


def main() -> None:
    """Print the table of docs/results/style.md."""
    seed = resolve(StyleConfig, read_recipe("vangogh", "style"))
    kinds = {
        "U-Net of the seed": seed,
        "the same, depthwise-separable": replace(seed, light=True),
        "vangogh-light": resolve(StyleConfig, read_recipe("vangogh-light", "style")),
        "ResNet-9 of the paper": replace(seed, generator="resnet", width=64),
        "ResNet-9, depthwise-separable": replace(seed, generator="resnet", width=64, light=True),
    }
    rows = [["generator", "parameters", f"multiplications at {SIDE} px"]]
    for name, config in kinds.items():
        network = build(generator_shape(config)).eval()
        count = sum(p.numel() for p in network.parameters())
        rows.append([name, f"{count:,}", f"{macs(network, SIDE) / 1e9:.2f} G"])
    print(aligned(rows))


if __name__ == "__main__":
    main()
