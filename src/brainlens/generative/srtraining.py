"""Owns the stage `upscale train`: slices in, a run folder with three generators out.

`psnr.safetensors` is the best of phase 1 by validation PSNR, `gan.safetensors` the end of phase 2,
`model.safetensors` the two interpolated. Every file can be given to `upscale --weights`.
"""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from torch import Tensor

from brainlens.core.config import read_toml, resolve, to_toml
from brainlens.core.driving import drive
from brainlens.core.errors import ConfigError, RunError
from brainlens.core.files import fresh_folder, replacing, write_atomic, write_json
from brainlens.core.processors import choose_precision
from brainlens.core.progress import duration, say
from brainlens.core.provenance import now, provenance
from brainlens.core.seeding import seed_everything
from brainlens.generative.generators import choose_device, load_network, weights_file
from brainlens.generative.rrdb import RRDBNet, initialise, interpolate
from brainlens.generative.srconfig import SrConfig, check
from brainlens.generative.srloop import SrLoop, bicubic
from brainlens.generative.srpatches import SCALE, read_sides

State = dict[str, Tensor]
LAST = ("gan_steps", "alpha")  # what a resumed run may change
SECOND = ("critic_steps", "gan_rate", "pixel_weight", "perceptual_weight",
          "adversarial_weight")  # and these, before its second phase has begun  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """What a run ended with: validation figures of each generator it wrote."""

    run: Path
    figures: dict[str, dict[str, float]]
    seconds: float


def train(
    data: Path, run: Path, config: SrConfig, *, overwrite: bool = False, resume: bool = False,
    later: dict[str, Any] | None = None,
) -> Trained:  # fmt: skip
    """Train a generator; raises UserError kinds for data, settings or a folder that do not fit.

    A resumed run keeps its settings but for those of `later`: what its second phase will be.
    """
    checkpoint = run / "checkpoint" / "last.ckpt"
    if resume:
        config = resumed(run, checkpoint, later or {})
    check(config)
    choose_device(config.device)
    clock, started = time.monotonic(), now()
    pictures, val, facts = read_sides(data, config)
    seed_everything(config.seed, "init")
    network = fresh_network(config)
    if not resume:
        fresh_folder(run, overwrite=overwrite, kind="upscaler run")
    write_atomic(run / "config.toml", to_toml(config))
    loop = SrLoop(network, config, pictures, val)
    ledger = _Ledger(run, config, facts)
    say(f"training {config.blocks} blocks on {len(pictures)} slices, validating on {len(val)}; "
        f"{config.pixel_steps} steps on pixels, {config.gan_steps} against a critic")  # fmt: skip
    _fit(loop, ledger, checkpoint, resume)
    figures = _finish(run, loop, ledger, config, facts)
    record = provenance("upscaler-run", config.seed, started, time.monotonic() - clock)
    write_json(run / "provenance.json", record | {"data": facts, "figures": figures})
    return Trained(run, figures, time.monotonic() - clock)


def resumed(run: Path, checkpoint: Path, later: dict[str, Any]) -> SrConfig:
    """The settings of a run to go on with; raises RunError and ConfigError where it cannot be."""
    if not checkpoint.is_file():
        raise RunError(f"{run}: there is nothing to resume. Start again with --overwrite")
    begun = ",gan," in (run / "metrics.csv").read_text("utf-8")
    fixed = sorted(set(later) - set(LAST if begun else LAST + SECOND))
    if fixed:
        raise ConfigError(
            f"--set {fixed[0]}: a resumed run keeps it; may change: "
            + ", ".join(LAST if begun else LAST + SECOND)
        )
    return resolve(SrConfig, read_toml(run / "config.toml"), later)


def fresh_network(config: SrConfig) -> RRDBNet:
    """The generator before its first step."""
    network = RRDBNet(blocks=config.blocks, features=config.features, growth=config.growth)
    start = None
    if config.start != "none":
        file = weights_file(None if config.start == "esrgan" else Path(config.start))
        start = load_network(file, SCALE)[0].state_dict()
    initialise(network, start)
    return network


class _Ledger(pl.Callback):
    """Keeps the figures of every epoch, and the best weights of phase 1: of use if stopped."""

    def __init__(self, run: Path, config: SrConfig, facts: dict[str, Any]) -> None:
        self.run, self.config, self.facts = run, config, facts
        self.rows: list[dict[str, Any]] = []
        self.best: tuple[float, State] | None = None
        self.clock = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, loop: Any) -> None:
        """One line an epoch: on standard error and in metrics.csv."""
        phase = "gan" if loop.adversarial else "pixel"
        step = (trainer.current_epoch + 1) * self.config.every
        figures = {name: round(value, 5) for name, value in loop.figures.items()}
        self.rows.append({"step": step, "phase": phase} | figures)
        say(f"step {step}: {phase}, " + ", ".join(f"{k} {v:.4f}" for k, v in figures.items())
            + f" ({duration(time.monotonic() - self.clock)})")  # fmt: skip
        text = io.StringIO()
        names = ["step", "phase", "l1", "critic", "psnr", "vgg"]
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomic(self.run / "metrics.csv", text.getvalue())
        if phase == "pixel" and (self.best is None or figures["psnr"] > self.best[0]):
            self.best = figures["psnr"], state_of(loop.network)
            save(self.run / "psnr.safetensors", self.best[1], self.facts | {"part": "psnr"})

    def on_train_epoch_start(self, trainer: pl.Trainer, loop: Any) -> None:
        """Phase 2 starts from the best of phase 1."""
        if trainer.current_epoch == loop.pixel_epochs and self.best:
            loop.network.load_state_dict(self.best[1])

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self.best = state["rows"], state["best"]


def state_of(network: RRDBNet) -> State:
    """A copy of the weights."""
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}


def _fit(loop: SrLoop, ledger: _Ledger, checkpoint: Path, resume: bool) -> None:
    config = loop.config
    device = choose_device(config.device)
    drive(
        loop, checkpoint, callbacks=[ledger], resume=resume,
        epochs=(config.pixel_steps + config.gan_steps) // config.every,
        done=lambda: f"{len(ledger.rows) * config.every} steps",
        accelerator="gpu" if device == "cuda" else "cpu", devices=1,
        precision=choose_precision(config.precision, device),
    )  # fmt: skip


def _finish(
    run: Path, loop: SrLoop, ledger: _Ledger, config: SrConfig, facts: dict[str, Any]
) -> dict[str, dict[str, float]]:
    """Write the generators; judge each, and bicubic, on the validation slices."""
    last = state_of(loop.network)
    found: dict[str, State] = {}
    if config.pixel_steps and ledger.best:
        found["psnr"] = ledger.best[1]
    if config.gan_steps:
        found["gan"] = last
    found["model"] = (
        interpolate(found["psnr"], found["gan"], config.alpha)
        if len(found) == 2
        else next(iter(found.values()))
    )
    figures = {"bicubic": loop.judged(bicubic)}
    loop.network.eval()
    for name, state in found.items():
        save(run / f"{name}.safetensors", state, facts | {"alpha": config.alpha, "part": name})
        loop.network.load_state_dict(state)
        figures[name] = loop.judged(loop.restore)
    return figures


def save(path: Path, state: State, facts: dict[str, Any]) -> Path:
    """Write weights as safetensors (matrices in half precision) with what they are."""
    from safetensors.torch import save as to_bytes

    meaning = {"kind": "upscaler", "scale": SCALE, "use": "for looking at, not for diagnosis"}
    kept = {k: (v.half() if v.ndim > 1 else v).contiguous() for k, v in state.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(to_bytes(kept, {"brainlens": json.dumps(meaning | facts)}))
    return path
