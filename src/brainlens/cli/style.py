"""Owns the commands of `brainlens style`: `apply`, `train`, `score` and `export`."""

from __future__ import annotations

from pathlib import Path

import click

from brainlens.core.progress import duration, say

_FILE = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def style() -> None:
    """Turn photos into paintings (CycleGAN), and train your own style from two folders.

    \b
    brainlens style apply PHOTO|DIR... -o DIR         with the Van Gogh that comes along
    brainlens style train PHOTOS PAINTINGS -o RUN     two folders that need not match
    brainlens style score RUN PHOTOS PAINTINGS        how near it comes to the paintings
    brainlens style export RUN -o style.onnx          for ONNX Runtime and OpenVINO
    """


@style.command()
@click.argument("photos")
@click.argument("paintings")
@click.option("-o", "run", type=_FILE, required=True, help="The run folder to write.")
@click.option("--recipe", default="vangogh-light", show_default=True, help="A recipe by name.")
@click.option("--config", type=_FILE, help="A TOML file of settings.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished run; may set steps.")
@click.option("--devices", type=click.IntRange(1), default=1, help="GPUs, or CPU processes.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
def train(
    photos: str, paintings: str, run: Path, recipe: str, config: Path | None,
    sets: tuple[str, ...], resume: bool, devices: int, overwrite: bool,
) -> None:  # fmt: skip
    """Learn a style from PHOTOS and PAINTINGS: folders, indexes, or index.csv::PART-OF-A-PATH.

    RUN gets both directions, a sheet of held-out photos after every so many steps, and the losses.
    """
    from brainlens.core.config import parse_sets, read_toml, resolve
    from brainlens.generative.styleconfig import StyleConfig
    from brainlens.recipes import read_recipe

    tables = [read_recipe(recipe, "style")] if recipe else []
    tables += [read_toml(config)] if config else []
    own = parse_sets(sets)
    settings = resolve(StyleConfig, *tables, own)
    from brainlens.generative.styletraining import train as run_training

    done = run_training(
        photos, paintings, run, settings, overwrite=overwrite, resume=resume, devices=devices,
        longer=own,
    )  # fmt: skip
    for name, value in done.figures.items():
        click.echo(f"{name:<22} {value:g}")
    say(f"wrote {run} in {duration(done.seconds)}; next: brainlens style apply PHOTO -o painted "
        f"--weights {run}")  # fmt: skip
