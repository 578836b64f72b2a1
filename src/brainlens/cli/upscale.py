"""Owns the commands of `brainlens upscale`: pictures by default, `score`, `train` and `export`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from brainlens.core.errors import OutputError
from brainlens.core.processors import Precision
from brainlens.core.progress import duration, say

_FILE = click.Path(path_type=Path)
_METHODS = click.Choice(["esrgan", "bicubic", "bilinear", "nearest"])
_WEIGHTS = click.option(
    "--weights", type=_FILE, help="An ESRGAN checkpoint of any dialect, or an exported .onnx."
)
_DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
_FORMATS = click.Choice(["auto", "32-true", "bf16-mixed"])


class Upscale(click.Group):
    """Pictures are enlarged unless the first word names another command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_help = args[:1] in (["-h"], ["--help"]) or not args
        if not asks_help and args[0] not in self.commands:
            args = ["pictures", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Upscale, context_settings={"help_option_names": ["-h", "--help"]})
def upscale() -> None:
    """Enlarge pictures 4 times. ESRGAN or interpolation, marked as not for diagnosis.

    \b
    brainlens upscale IMAGE|DIR... -o DIR      see: brainlens upscale pictures --help
    brainlens upscale score DIR -o score.json  how near each method comes to the original
    brainlens upscale train INDEX|DIR -o RUN   fine-tune a generator on your scans
    brainlens upscale export -o esrgan.onnx    for OpenVINO and ONNX Runtime

    A folder that is called like a command: write ./score.
    """


@upscale.command()
@click.argument("inputs", nargs=-1, required=True, type=_FILE)
@click.option("-o", "out", type=_FILE, required=True, help="Folder for the PNG files.")
@click.option("--method", type=_METHODS, default="esrgan", show_default=True)
@click.option("--scale", type=click.IntRange(2, 8), default=4, show_default=True)
@_WEIGHTS
@click.option("--tile", type=click.IntRange(64), default=256, show_default=True, help="Pixels.")
@click.option("--compare", is_flag=True, help="Also write a sheet of all methods side by side.")
@click.option(
    "--plane", type=click.Choice(["acquired", "axial", "coronal", "sagittal"]), default="acquired",
    show_default=True, help="Of NIfTI volumes.",
)  # fmt: skip
@click.option("--slices", default="all", show_default=True, help="all, middle, 12, or 30:40.")
@_DEVICE
@click.option(
    "--precision", type=_FORMATS, default="auto", show_default=True,
    help="auto: bf16 where the hardware has it.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace pictures that exist.")
def pictures(
    inputs: tuple[Path, ...], out: Path, method: str, scale: int, weights: Path | None, tile: int,
    compare: bool, plane: str, slices: str, device: str, precision: Precision, overwrite: bool,
) -> None:  # fmt: skip
    """Enlarge images, DICOM and NIfTI to PNG (the default).

    Grey stays grey, alpha and 16 bits are kept, EXIF orientation is applied. Beside each PNG lies
    a JSON with its source, its method and the mark.
    """
    from brainlens.generative.upscaling import prepare, report
    from brainlens.generative.upscaling import upscale as enlarge

    prepare(inputs, out, overwrite=overwrite)
    generator = opened(method, weights, scale, device, precision)
    done, unreadable = enlarge(
        inputs, out, generator, tile=tile, plane=plane, slices=slices, compare=compare,
        overwrite=overwrite,
    )  # fmt: skip
    for one in done:
        click.echo(f"{one.path}\t{one.width} x {one.height}")
    report(done, unreadable)
    many = "picture" if len(done) == 1 else "pictures"
    say(f"wrote {len(done)} enlarged {many} to {out}: for looking at, not for diagnosis")


@upscale.command()
@click.argument("folder", type=_FILE)
@click.option("-o", "out", type=_FILE, help="Write the figures as JSON.")
@click.option("--method", "methods", type=_METHODS, multiple=True, help="Repeatable; default: all.")
@click.option("--weights", type=_FILE, multiple=True, help="For esrgan; several are compared.")
@click.option(
    "--shrink", type=click.Choice(["bicubic", "kspace"]), default="bicubic", show_default=True,
    help="How originals are made small: the field's way, or as a coarser MR scan.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1), help="Only so many pictures, evenly chosen.")
@click.option("--no-lpips", is_flag=True, help="Leave LPIPS out (needs VGG16 weights).")
@_DEVICE
@click.option("--precision", type=_FORMATS, default="32-true", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace figures that exist.")
def score(
    folder: Path, out: Path | None, methods: tuple[str, ...], weights: tuple[Path, ...],
    shrink: str, limit: int | None, no_lpips: bool, device: str, precision: Precision,
    overwrite: bool,
) -> None:  # fmt: skip
    """Shrink pictures, restore them, compare with the originals.

    FOLDER may be an index: then its test rows.
    """
    from brainlens.core.files import write_json
    from brainlens.generative.srscore import originals, score_folder, score_table

    if out is not None:
        refuse(out, overwrite)
    originals(folder)
    generators = []
    for name in methods or ("nearest", "bilinear", "bicubic", "esrgan"):
        for file in (weights or (None,)) if name == "esrgan" else (None,):
            one = opened(name, file, 4, device, precision)
            label = f"{name}:{file.stem}" if file and len(weights) > 1 else name
            generators.append(replace(one, method=label))
    result = score_folder(folder, generators, shrink=shrink, limit=limit, lpips=not no_lpips)
    click.echo(score_table(result))
    if out is not None:
        write_json(out, result)
        say(f"wrote {out}")


@upscale.command()
@click.argument("data", type=_FILE)
@click.option("-o", "run", type=_FILE, required=True, help="The run folder to write.")
@click.option("--recipe", default="sr-mri", show_default=True, help="A recipe by name.")
@click.option("--config", type=_FILE, help="A TOML file of settings.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--resume", is_flag=True, help="Go on with a run; may set its phase 2.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
def train(
    data: Path, run: Path, recipe: str, config: Path | None, sets: tuple[str, ...], resume: bool,
    overwrite: bool,
) -> None:  # fmt: skip
    """Fine-tune a generator on pictures of your own. A folder, or the training rows of an index.

    First on pixels (L1), then against a relativistic discriminator with a perceptual loss; RUN
    holds both generators and the mean of their weights, model.safetensors.
    """
    from brainlens.core.config import parse_sets, read_toml, resolve
    from brainlens.generative.srconfig import SrConfig
    from brainlens.recipes import read_recipe

    tables = [read_recipe(recipe, "upscale")] if recipe else []
    tables += [read_toml(config)] if config else []
    own = parse_sets(sets)
    settings = resolve(SrConfig, *tables, own)
    from brainlens.generative.srtraining import train as run_training

    done = run_training(data, run, settings, overwrite=overwrite, resume=resume, later=own)
    for name, figures in done.figures.items():
        seen = f", perceptual {figures['vgg']:.4f}" if "vgg" in figures else ""
        click.echo(f"{name:<10} val PSNR {figures['psnr']:.2f} dB{seen}")
    say(f"wrote {run} in {duration(done.seconds)}; next: brainlens upscale IMAGE -o enlarged "
        f"--weights {run / 'model.safetensors'}")  # fmt: skip


@upscale.command()
@click.option("-o", "out", type=_FILE, required=True, help="The .onnx file to write.")
@click.option("--scale", type=click.IntRange(2, 8), default=4, show_default=True)
@_WEIGHTS
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def export(out: Path, scale: int, weights: Path | None, overwrite: bool) -> None:
    """Write the generator as ONNX, for pictures of any size."""
    from brainlens.deploy.upscaler import export as write

    refuse(out, overwrite)
    write(weights, out, scale=scale)
    say(f"wrote {out}; next: brainlens upscale IMAGE -o enlarged --weights {out}")


def opened(
    method: Any, weights: Path | None, scale: int, device: str, precision: Precision = "32-true"
) -> Any:
    """The generator asked for: torch's, or the exported one where the weights are an .onnx."""
    if method == "esrgan" and weights is not None and weights.suffix == ".onnx":
        from brainlens.deploy.upscaler import open_exported

        return open_exported(weights, scale, precision=precision)
    from brainlens.generative.generators import open_generator

    return open_generator(method, weights=weights, scale=scale, device=device, precision=precision)


def refuse(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unless asked to."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; expected a file name such as {path}/x.json")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists. Give --overwrite to replace it, or another -o")
