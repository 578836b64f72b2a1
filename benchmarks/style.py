"""Painting: light generators against full ones, and `style apply` against an eager full pass.

Every way runs in turn in one process, on as many threads as torch uses; the median counts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.turns import clock_of, in_turn
from brainlens.core.config import resolve
from brainlens.deploy.stylist import DETAIL, Stylist, export
from brainlens.generative.cyclegan import build
from brainlens.generative.styleconfig import StyleConfig, generator_shape
from brainlens.generative.stylegenerators import PAINTING, save_generator
from brainlens.generative.stylescore import macs
from brainlens.recipes import read_recipe

_SIDE = 256  # the size at which the seed's generators learn


def measure(quick: bool) -> list[dict[str, Any]]:
    """Parameters, work and time of a picture; then one of 1,024 px as a user paints it."""
    full, light, ours = (shape(name, quick) for name in ("full", "light", "recipe"))
    networks = {name: build(one).eval() for name, one in
                (("full", full), ("light", light), ("recipe", ours))}  # fmt: skip
    rows = [row for name in ("light", "recipe") for row in sizes(name, networks)]
    side = 64 if quick else _SIDE
    x = torch.rand(1, 3, side, side) * 2 - 1
    timed, clock = clock_of(torch.get_num_threads())
    ways = {name: runner(net, x) for name, net in networks.items()}
    seconds = in_turn(ways, 1 if quick else 5, clock)
    rows += [
        row(f"{name} against full U-Net, eager fp32, {side} px, {timed}", seconds[name],
            seconds["full"], "s", "ratio >= 1.5")
        for name in ("light", "recipe")
    ]  # fmt: skip
    return rows + painting(networks, quick)


def shape(which: str, quick: bool) -> dict[str, Any]:
    """The seed's U-Net, its depthwise twin of equal width, and the recipe `vangogh-light`."""
    recipe = "vangogh-light" if which == "recipe" else "vangogh"
    own = generator_shape(resolve(StyleConfig, read_recipe(recipe, "style")))
    own |= {"dropout": 0.0} | ({"light": True} if which == "light" else {})
    return own | ({"width": 8, "depth": 4} if quick else {})


def sizes(name: str, networks: dict[str, Any]) -> list[dict[str, Any]]:
    """How many parameters, and multiplications of a picture."""
    found = []
    for what, count in (
        ("parameters", lambda net: sum(p.numel() for p in net.parameters())),
        (f"multiplications at {_SIDE} px", lambda net: macs(net, _SIDE)),
    ):
        ours, base = count(networks[name]), count(networks["full"])
        found.append(row(f"{what}, {name} against full U-Net", ours, base, "", "ratio >= 3"))
    return found


def painting(networks: dict[str, Any], quick: bool) -> list[dict[str, Any]]:
    """A photo of 1,024 px: what `style apply` does to it, against the eager fp32 full generator.

    Of the recipe's shape with its first weights: speed does not depend on them.
    """
    side = 128 if quick else 1024
    stylist = exported(networks["recipe"], quick)
    rgb = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    x = torch.from_numpy(rgb.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1
    ways: dict[str, Callable[[], object]] = {
        "full": runner(networks["full"], x),
        f"detail {DETAIL}": lambda: stylist.apply(rgb),
        "detail full": lambda: stylist.apply(rgb, detail=None),
    }
    timed, clock = clock_of(torch.get_num_threads())
    seconds = in_turn(ways, 1 if quick else 3, clock)
    base = seconds.pop("full")
    return [
        row(f"style apply, {side} px, {name}, {timed}, against the eager full U-Net",
            value, base, "s", "ratio >= 3, ours <= 2 s on 2 cores")
        for name, value in seconds.items()
    ]  # fmt: skip


def exported(network: torch.nn.Module, quick: bool) -> Stylist:
    """A generator as `style apply` opens it."""
    config = resolve(StyleConfig, read_recipe("vangogh-light", "style"))
    if quick:
        config = replace(config, width=8, depth=4)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        save_generator(run / f"{PAINTING}.safetensors", network, config, direction=PAINTING,
                       step=0, data={})  # fmt: skip
        return Stylist(export(run, run / "x.onnx"), threads=torch.get_num_threads())


def runner(network: torch.nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """One eager pass."""

    def run() -> object:
        with torch.inference_mode():
            return network(x)

    return run


def row(what: str, ours: float, base: float, unit: str, wanted: str) -> dict[str, Any]:
    """One line of the table; a ratio above 1 is in our favour."""
    return {"what": what, "ours": ours, "baseline": base, "unit": unit, "ratio": base / ours,
            "wanted": wanted}  # fmt: skip
