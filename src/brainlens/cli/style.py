"""Owns the commands of `brainlens style`: `apply`, `train`, `score`, `export`, `outlines`."""

from __future__ import annotations

from pathlib import Path

import click

from brainlens.core.errors import ConfigError
from brainlens.core.progress import duration, say

_FILE = click.Path(path_type=Path)
_DIRECTION = click.option(
    "--direction", type=click.Choice(["painting", "photo"]), default="painting", show_default=True,
    help="What it makes of a picture.",
)  # fmt: skip
LEAST_DETAIL = 64  # pixels


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def style() -> None:
    """Turn photos into paintings. CycleGAN; train a style of your own from two folders.

    \b
    brainlens style apply PHOTO|DIR... -o DIR         paint; needs --weights RUN
    brainlens style train PHOTOS PAINTINGS -o RUN     two folders that need not match
    brainlens style score RUN PHOTOS PAINTINGS        how near it comes to the paintings
    brainlens style export RUN -o style.onnx          for ONNX Runtime and OpenVINO
    brainlens style outlines RUN FOLDER               what a harmonised scan's tumour becomes
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
    """Learn a style from PHOTOS and PAINTINGS. Folders, indexes, or index.csv::PART-OF-A-PATH.

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
    if not done.first:
        return
    for name, value in done.figures.items():
        click.echo(f"{name:<22} {value:g}")
    from brainlens.deploy.stylist import DIRECTIONS
    from brainlens.deploy.stylist import export as write

    for direction in DIRECTIONS.values():
        write(run, run / f"{direction}.onnx", direction=direction)
    say(f"wrote {run} in {duration(done.seconds)}; next: brainlens style apply PHOTO -o painted "
        f"--weights {run}")  # fmt: skip


@style.command()
@click.argument("inputs", nargs=-1, required=True, type=_FILE)
@click.option("-o", "out", type=_FILE, required=True, help="Folder for the PNG files.")
@click.option("--weights", type=_FILE, help="A run, or an exported .onnx file.")
@_DIRECTION
@click.option(
    "--strength",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="0 is the photo, 1 the painting.",
)
@click.option(
    "--detail",
    default="256",
    show_default=True,
    help="Paint with the shorter side at so many pixels, then enlarge; or: full.",
)
@click.option(
    "--tile",
    type=click.IntRange(256),
    default=1024,
    show_default=True,
    help="Pixels a side; what is larger is painted in overlapping tiles.",
)
@click.option("--sheet", is_flag=True, help="Also write sheet.png, before and after.")
@click.option("--overwrite", is_flag=True, help="Replace pictures that exist.")
def apply(
    inputs: tuple[Path, ...],
    out: Path,
    weights: Path | None,
    direction: str,
    strength: float,
    detail: str,
    tile: int,
    sheet: bool,
    overwrite: bool,
) -> None:
    """Paint images of any size and mode to PNG. The size is kept, and alpha.

    Strokes are as broad as the network learnt them, so --detail says how fine they are in the
    whole picture: less gives broader strokes, full the finest.
    """
    from brainlens.deploy.styling import apply_style, pictures_of
    from brainlens.deploy.stylist import DIRECTIONS, Stylist

    side = whole(detail)
    pictures_of(inputs, out, overwrite=overwrite)
    stylist = Stylist(weights, direction=DIRECTIONS[direction])
    done, unreadable = apply_style(
        inputs,
        out,
        stylist,
        strength=strength,
        detail=side,
        tile=tile,
        sheet=sheet,
        overwrite=overwrite,
    )
    for one in done:
        click.echo(f"{one.path}\t{one.width} x {one.height}")
    for error in unreadable:
        say(f"skipped {error}")
    say(f"wrote {len(done)} pictures to {out}")


@style.command()
@click.argument("run", type=_FILE)
@click.argument("photos")
@click.argument("paintings")
@click.option("-o", "out", type=_FILE, help="Write the figures as JSON.")
@click.option("--all", "everything", is_flag=True, help="Score all pictures, not those held out.")
@click.option("--size", type=click.IntRange(64), default=256, show_default=True, help="Pixels.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--overwrite", is_flag=True, help="Replace figures that exist.")
def score(
    run: Path,
    photos: str,
    paintings: str,
    out: Path | None,
    everything: bool,
    size: int,
    device: str,
    overwrite: bool,
) -> None:
    """Measure FID and KID to the paintings. And how much of a photo comes back.

    By default on the pictures of both folders that the run kept out of its training.
    """
    from brainlens.core.files import refuse_used, write_json
    from brainlens.generative.stylescore import score as run_score
    from brainlens.generative.stylescore import score_table

    if out is not None:
        refuse_used(out, overwrite)
    result = run_score(run, photos, paintings, everything=everything, size=size, device=device)
    click.echo(score_table(result))
    if out is not None:
        write_json(out, result)
        say(f"wrote {out}")


@style.command()
@click.argument("run", type=_FILE)
@click.option("-o", "out", type=_FILE, required=True, help="The .onnx file to write.")
@_DIRECTION
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def export(run: Path, out: Path, direction: str, overwrite: bool) -> None:
    """Write a generator of RUN as ONNX. For pictures of any size."""
    from brainlens.core.files import refuse_used
    from brainlens.deploy.stylist import DIRECTIONS
    from brainlens.deploy.stylist import export as write

    refuse_used(out, overwrite)
    write(run, out, direction=DIRECTIONS[direction])
    say(f"wrote {out}; next: brainlens style apply PHOTO -o painted --weights {out}")


@style.command()
@click.argument("run", type=_FILE)
@click.argument("folder", type=_FILE)
@click.option("-o", "out", type=_FILE, help="Write the figures as JSON.")
@click.option("--part", default="", help="Only scans with this in their path.")
@click.option("--limit", type=click.IntRange(1), help="Only so many scans, evenly chosen.")
@_DIRECTION
@click.option("--overwrite", is_flag=True, help="Replace figures that exist.")
def outlines(
    run: Path, folder: Path, out: Path | None, part: str, limit: int | None, direction: str,
    overwrite: bool,
) -> None:  # fmt: skip
    """Say whether mri-harmonise moves or erases tumours. Change inside and outside the outlines.

    FOLDER holds manifest.csv and figshare_tumour_borders.json.gz.
    """
    from brainlens.core.files import refuse_used, write_json
    from brainlens.generative.harmonising import check_outlines

    if out is not None:
        refuse_used(out, overwrite)
    result = check_outlines(run, folder, part=part, direction=f"to_{direction}", limit=limit)
    for name, one in result["figures"].items():
        between = "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f})"
        value = "none: nothing changes" if one["value"] is None else f"{one['value']:.2f}"
        click.echo(f"{name:<18} {value}{between}")
    if out is not None:
        write_json(out, result)
        say(f"wrote {out}")


def whole(detail: str) -> int | None:
    """Pixels, or None for `full`."""
    if detail == "full":
        return None
    if not detail.isdigit() or int(detail) < LEAST_DETAIL:
        raise ConfigError(f"--detail {detail}: expected {LEAST_DETAIL} pixels or more, or full")
    return int(detail)
