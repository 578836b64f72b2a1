"""Owns the commands about models: from `train` to `reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from brainlens.core.progress import duration, say

_FILE = click.Path(path_type=Path)


def _check_split(index: Path) -> None:
    """Say at once that INDEX was not split, before torch is loaded for it."""
    from brainlens.data.index import read_index
    from brainlens.data.split import check_sides

    table = read_index(index)
    check_sides({split: table.of(split) for split in ("train", "val")}, index)


@click.command()
@click.argument("index", type=_FILE)
@click.option("-o", "run", type=_FILE, required=True, help="The run folder to write.")
@click.option("--recipe", default="", help="A recipe by name; brainlens recipes lists them.")
@click.option("--config", type=_FILE, help="A TOML file of settings.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--extra", type=_FILE, help="An index of synthetic images (synth sample) to add.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished run.")
@click.option("--devices", type=click.IntRange(1), default=1, help="GPUs, or CPU processes.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
def train(
    index: Path, run: Path, recipe: str, config: Path | None, sets: tuple[str, ...],
    extra: Path | None, resume: bool, devices: int, overwrite: bool,
) -> None:  # fmt: skip
    """Train a classifier on the split of INDEX."""
    from brainlens.classify.config import TrainConfig
    from brainlens.core.config import parse_sets, read_toml, resolve
    from brainlens.recipes import read_recipe

    tables = [read_recipe(recipe)] if recipe else []
    tables += [read_toml(config)] if config else []
    settings = resolve(TrainConfig, *tables, parse_sets(sets))
    _check_split(index)
    from brainlens.classify.training import train as run_training

    done = run_training(
        index, run, settings, overwrite=overwrite, resume=resume, devices=devices, extra=extra
    )
    click.echo(f"best epoch {done.best_epoch}: {done.monitor} {done.best_value:.4f}")
    say(f"wrote {run} in {duration(done.seconds)}; next: brainlens evaluate {run} {index} -o eval")


@click.command()
@click.argument("run", type=_FILE)
@click.argument("index", type=_FILE)
@click.option("-o", "out", type=_FILE, required=True, help="The folder to write.")
@click.option("--split", default="test", show_default=True, help="Which rows to judge.")
@click.option("--allow-leaks", is_flag=True, help="Judge images seen in training, and say so.")
@click.option("--degrade", is_flag=True, help="Also under graded blur, noise, low resolution ...")
@click.option("--images", type=click.IntRange(0), default=0, help="About so many, whole groups.")
@click.option("--overwrite", is_flag=True, help="Replace an evaluation that exists.")
def evaluate(run: Path, index: Path, out: Path, **request: Any) -> None:
    """Judge a run on the test rows of INDEX, with intervals."""
    from brainlens.classify.evaluation import evaluate as judge
    from brainlens.report.tables import evaluation_summary

    result = judge(run, index, out, **request)
    click.echo(evaluation_summary(result))
    say(f"wrote {out}; next: brainlens report {run} {out} -o report.html")


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=_FILE)
@click.option("--model", type=_FILE, help="A run folder or an export; default: the one in the box.")
@click.option("--coverage", type=float, help="With an export: answer a set of classes, as 0.95.")
@click.option("--plane", default="acquired", help="Of volumes: axial, coronal or sagittal.")
@click.option("--prevalence", type=float, help="Share of tumours where you are: PPV and NPV there.")
@click.option("--heatmap", type=_FILE, help="Folder for pictures of where the evidence lies.")
@click.option("--dicom-sr", type=_FILE, help="Folder for DICOM Structured Reports (TID 1500).")
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a file.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header.")
def predict(
    inputs: tuple[Path, ...], model: Path | None, as_json: bool, as_csv: bool, **asked: Any
) -> None:
    """Classify images, DICOM, NIfTI, folders or zip archives."""
    from brainlens.deploy.answering import answer_inputs
    from brainlens.report.answered import predictions_as

    done = answer_inputs(inputs, model, **asked)
    form = "json" if as_json else "csv" if as_csv else "table"
    click.echo(predictions_as(form, done.answers, done.studies), nl=False)
    for line in done.notes:
        say(line)


@click.command()
@click.argument("run", type=_FILE)
@click.option("-o", "out", type=_FILE, default=Path("model.onnx"), show_default=True, help="File.")
@click.option(
    "--weights",
    type=click.Choice(["float32", "float16", "int8-stored", "int8"]),
    default="float32",
    show_default=True,
    help="How the weights are kept: smaller is a smaller file; int8 counts in 8 bits too.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def export(run: Path, out: Path, weights: Any, overwrite: bool) -> None:
    """Write RUN as one ONNX file that predicts without torch."""
    from brainlens.deploy.export import export as write

    made = write(run, out, weights=weights, overwrite=overwrite)
    held, parity = made["calibration"], made["parity"]
    click.echo(
        f"temperature {made['temperature']:.3f}: log loss {held['log loss before']:.3f} to "
        f"{held['log loss after']:.3f} on {held['images']} validation images; logits within "
        f"{parity['largest difference of a logit']:.1g} of the run's, {weights} right in "
        f"{parity['accuracy of the export']:.1%}, the run in {parity['accuracy of the run']:.1%}"
    )
    say(f"wrote {out}; next: brainlens predict --model {out} IMAGE")


@click.command()
@click.argument("design")
@click.argument("index", type=_FILE)
@click.option("-o", "out", type=_FILE, required=True, help="The study folder to write.")
@click.option("--replicates", type=click.IntRange(1), help="Seeds a row, instead of the design's.")
@click.option("--ray", default="", metavar="auto|local|ADDRESS", help="Spread over a Ray cluster.")
@click.option("--against", type=_FILE, help="Another study of INDEX: how far are the choices?")
@click.option("--resume", is_flag=True, help="Go on with an unfinished study.")
@click.option("--allow-leaks", is_flag=True, help="Confirm on images seen in training, say so.")
@click.option("--overwrite", is_flag=True, help="Replace a study that exists.")
def study(
    design: str, index: Path, out: Path, replicates: int | None, ray: str, against: Path | None,
    resume: bool, allow_leaks: bool, overwrite: bool,
) -> None:  # fmt: skip
    """Try the settings of DESIGN, and say what matters. DESIGN: a TOML file or a recipe."""
    from brainlens.report.columns import aligned
    from brainlens.report.studied import summary, verdict
    from brainlens.study.design import read_design

    plan = read_design(design, replicates=replicates)
    _check_split(index)
    from brainlens.study.runner import run_study

    found = run_study(
        plan, index, out, ray=ray, resume=resume, overwrite=overwrite, allow_leaks=allow_leaks,
        against=against,
    )  # fmt: skip
    for title, table in summary(found):
        click.echo(f"{title}\n{aligned(table)}\n" if title else f"{aligned(table)}\n")
    click.echo(verdict(found))
    spent = duration(found["seconds"]["all"])
    say(f"wrote {out} in {spent}; next: brainlens report {out} -o report.html")


@click.command()
@click.argument("folders", nargs=-1, required=True, type=_FILE, metavar="EVAL EVAL...")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def compare(folders: tuple[Path, ...], as_json: bool) -> None:
    """Test whether one model is better than another. On the same images; p-values corrected."""
    import json

    from brainlens.report.compared import as_document, compare_folders, summary

    pairs = compare_folders(folders)
    click.echo(json.dumps(as_document(pairs), indent=1) if as_json else summary(pairs))


@click.command()
@click.argument("recipe")
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "out", type=_FILE, required=True, help="Folder to write.")
@click.option("--quick", is_flag=True, help="Prove that it runs: few images, two epochs.")
@click.option("--images", type=click.IntRange(0), default=0, help="At most N of each class folder.")
@click.option("--external", multiple=True, metavar="TRAIN:TEST", help="Between two sets instead.")
@click.option("--degrade", is_flag=True, help="Also under graded blur, noise, low resolution ...")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished reproduction.")
@click.option("--overwrite", is_flag=True, help="Replace a reproduction that exists.")
def reproduce(recipe: str, data: tuple[str, ...], out: Path, sets: Any, **request: Any) -> None:
    """Run a published system again, with its leaks and without. DATA: FOLDER or SET=FOLDER."""
    from brainlens.core.config import parse_sets
    from brainlens.report.reproduced import summary
    from brainlens.reproduce.reproduction import reproduce as run

    click.echo(summary(run(recipe, data, out, sets=parse_sets(sets), **request)))
    say(f"wrote {out / 'reproduce.json'} and {out / 'report.html'}")
