"""How hard each loss of the second phase pulls, before its weight: L1, perceptual, adversarial.

    python -m benchmarks.upscale_losses INDEX GENERATOR -o losses.json

The norm of each loss's gradient in the restored pictures and in the generator's weights, on the
first batch of training patches, against a critic that has learnt nothing yet. Weights that do not
answer these norms give the step to one of the three.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from brainlens.core.files import write_json
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import seed_everything
from brainlens.generative.generators import load_network
from brainlens.generative.srconfig import SrConfig
from brainlens.generative.srloop import SrLoop, relativistic
from brainlens.generative.srpatches import SCALE, Patches, read_sides

_IMAGES = 12


def pulls(loop: SrLoop, coarse: Tensor, sharp: Tensor) -> dict[str, dict[str, float]]:
    """Each loss with the norm of its gradient in the picture and in the weights."""
    restored = loop.restore(coarse)
    losses = {
        "l1": F.l1_loss(restored, sharp),
        "perceptual": loop.perceptual(restored, sharp),
        "adversarial": relativistic(
            loop.critic(sharp).detach(), loop.critic(restored), for_generator=True
        ),
    }
    found = {}
    for name, loss in losses.items():
        asked = [restored, *loop.network.parameters()]
        picture, *weights = torch.autograd.grad(loss, asked, retain_graph=True)
        norm = torch.stack([one.square().sum() for one in weights]).sum().sqrt()
        found[name] = {"loss": loss.item(), "in_picture": picture.norm().item(),
                       "in_weights": norm.item()}  # fmt: skip
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="benchmarks.upscale_losses", description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("generator", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    asked, started, clock = parser.parse_args(), now(), time.monotonic()
    config = SrConfig(images=_IMAGES, val_images=1)
    pictures, val, facts = read_sides(asked.index, config)
    network, _ = load_network(asked.generator, SCALE)
    seed_everything(config.seed, "losses")
    loop = SrLoop(network.requires_grad_(True), config, pictures, val)
    found = pulls(loop, *Patches(pictures, config, 0, 1)[0])
    for name, one in found.items():
        print(f"{name:<12} {one['loss']:8.4f}   gradient in the picture {one['in_picture']:.4f}, "
              f"in the weights {one['in_weights']:.4f}")  # fmt: skip
    result: dict[str, Any] = provenance("upscale-losses", 0, started, time.monotonic() - clock)
    command = " ".join(["python -m benchmarks.upscale_losses", *sys.argv[1:]])
    write_json(asked.out, result | {"command": command, "data": facts, "losses": found})


if __name__ == "__main__":
    main()
