"""Owns the commands of `brainlens synth`: `train`, `sample`, `score` and `verdict`."""

from __future__ import annotations

from pathlib import Path

import click

from brainlens.core.progress import duration, say

_FILE = click.Path(path_type=Path)
_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_HELP)
def synth() -> None:
    """Make synthetic training images, judge them, and find out whether they help.

    \b
    brainlens synth train INDEX --class none -o RUN   a generator from the training rows
    brainlens synth sample RUN -n 395 -o DIR          its pictures, and their index
    brainlens synth score DIR --against INDEX -o S    how far from real, how diverse, copied?
    brainlens synth verdict INDEX --arms ... -o V     does it help the classifier?
    """


@synth.command()
@click.argument("index", type=_FILE)
@click.option("-o", "run", type=_FILE, required=True, help="The run folder to write.")
@click.option("--class", "classes", multiple=True, metavar="LABEL",
              help="A class to learn; repeatable. Default: all, where the recipe can.")  # fmt: skip
@click.option("--recipe", default="dcgan-da", show_default=True, help="dcgan, dcgan-da.")
@click.option("--config", type=_FILE, help="A TOML file of settings.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished run.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
def train(
    index: Path, run: Path, classes: tuple[str, ...], recipe: str, config: Path | None,
    sets: tuple[str, ...], resume: bool, overwrite: bool,
) -> None:  # fmt: skip
    """Train a generator on the rows of INDEX with split = train, and on no others."""
    from brainlens.core.config import parse_sets, read_toml, resolve
    from brainlens.generative.ganconfig import GanConfig
    from brainlens.recipes import read_recipe

    tables = [read_recipe(recipe, "synth")] + ([read_toml(config)] if config else [])
    settings = resolve(GanConfig, *tables, parse_sets(sets))
    from brainlens.generative.gantraining import train as run_training

    done = run_training(
        index, run, settings, classes=classes, recipe=recipe, resume=resume, overwrite=overwrite
    )
    speed = f"{done.images / max(done.seconds, 1e-9):.1f} img/s"
    click.echo(f"{done.steps} steps, {done.images} pictures shown, {speed}")
    say(f"wrote {run} in {duration(done.seconds)}; next: brainlens synth sample {run} -n 100 "
        "-o synthetic")  # fmt: skip


@synth.command()
@click.argument("run", type=_FILE)
@click.option("-n", "count", type=click.IntRange(1), help="Pictures of each class.")
@click.option("--seeds", metavar="A-B", help="Seeds of the pictures; default: 0 to n - 1.")
@click.option("--class", "classes", multiple=True, metavar="LABEL",
              help="Repeatable. Default: every class the generator knows.")  # fmt: skip
@click.option("-o", "out", type=_FILE, required=True, help="The folder to write.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace pictures of an earlier run.")
def sample(
    run: Path, count: int | None, seeds: str | None, classes: tuple[str, ...], out: Path,
    device: str, overwrite: bool,
) -> None:  # fmt: skip
    """Draw pictures from a generator; the picture of a seed is always the same."""
    from brainlens.generative.sampling import sample as write
    from brainlens.generative.sampling import seeds_of

    index = write(
        run, out, seeds_of(seeds, count), classes=classes, overwrite=overwrite, device=device
    )
    say(f"wrote {out}; next: brainlens train INDEX --extra {index} -o RUN, or brainlens synth "
        f"score {out} --against INDEX -o SCORE")  # fmt: skip
