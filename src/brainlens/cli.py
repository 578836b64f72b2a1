"""Owns the command line: each command parses, calls one function, prints what was written.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 2 the input
is wrong (one line), 1 a fault of ours, 130 stopped by Ctrl-C. Heavy imports wait for the command
that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from brainlens import __version__
from brainlens.cli_upscale import upscale
from brainlens.core.errors import BrainlensError, nearest
from brainlens.core.progress import duration, say

_FILE = click.Path(path_type=Path)


class Commands(click.Group):
    """The commands in the order of the work; a mistyped one names its neighbour."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.UsageError(f"no command {args[0]!r}: {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="brainlens")
def commands() -> None:
    """Brain-MRI tumour classification whose quoted accuracy can be believed.

    \b
    First result:     brainlens demo
    Your own folder:  brainlens index FOLDER -o index.csv
                      brainlens audit index.csv -o audit
                      brainlens split audit/index.csv
                      brainlens train audit/index.csv -o run
                      brainlens evaluate run audit/index.csv -o eval
                      brainlens report run eval -o report.html

    Research use, not a medical device.
    """


@commands.command()
@click.option("-o", "out", type=_FILE, default=Path("brainlens-demo"), help="Folder to write.")
@click.option("--overwrite", is_flag=True, help="Replace the results of an earlier demo.")
def demo(out: Path, overwrite: bool) -> None:
    """Run everything once on the embedded synthetic sample (3 minutes, no network)."""
    from brainlens.demo import run_demo

    click.echo(run_demo(out, overwrite=overwrite))


@commands.command()
@click.argument("roots", nargs=-1, required=True, type=_FILE)
@click.option("-o", "out", type=_FILE, default=Path("index.csv"), help="The index to write.")
@click.option("--label-map", default="", help="types, binary, yes=tumour,no=none, or a TOML file.")
@click.option("--manifest", type=_FILE, help="CSV of patients, folds, twin groups by file.")
@click.option("--overwrite", is_flag=True, help="Replace an index that exists.")
def index(
    roots: tuple[Path, ...], out: Path, label_map: str, manifest: Path | None, overwrite: bool
) -> None:
    """List every image of ROOT/CLASS/... with its label, size, digests and group."""
    from brainlens.data.index import write_index
    from brainlens.data.indexing import index_folders
    from brainlens.data.labels import parse_map
    from brainlens.report.tables import index_summary

    refuse_used(out, overwrite)
    found = index_folders(roots, label_map=parse_map(label_map), manifest=manifest)
    write_index(found.rows, Path("/"), out)
    click.echo(index_summary(found))
    say(f"wrote {out}; next: brainlens audit {out} -o audit, or brainlens split {out}")


@commands.command()
@click.argument("index", type=_FILE)
@click.option("-o", "out", type=_FILE, default=Path("audit"), show_default=True, help="Folder.")
@click.option("--against", type=_FILE, help="Another index, or a hash manifest: what is in both?")
@click.option(
    "--predictions", multiple=True, type=_FILE, metavar="EVAL",
    help="An evaluation of a run of INDEX: suspects wrong labels; repeatable.",
)  # fmt: skip
@click.option("--drop", is_flag=True, help="Leave unfit images out of the new index.")
@click.option(
    "--export-manifest", "manifest", type=_FILE,
    help="Write digests and descriptors here: others can find the images without having them.",
)  # fmt: skip
@click.option(
    "--known-sets/--no-known-sets", "known", default=True, show_default=True,
    help="Say which images are of public sets (sartaj, Cheng, navoneel, Br35H).",
)  # fmt: skip
@click.option("--no-names", is_flag=True, help="Call images by number in audit.html.")
@click.option("--no-pictures", is_flag=True, help="Show no image in audit.html.")
@click.option("--overwrite", is_flag=True, help="Replace an audit that exists.")
def audit(
    index: Path, out: Path, manifest: Path | None, overwrite: bool, no_names: bool,
    no_pictures: bool, **asked: Any,
) -> None:  # fmt: skip
    """Find twins, copies, leaks, wrong labels and unfit images in INDEX."""
    from brainlens.data.audit_file import audit_file
    from brainlens.data.known_sets import sentence
    from brainlens.report.audit_page import write_audit_page
    from brainlens.report.tables import audit_summary

    if manifest:
        refuse_used(manifest, overwrite)
    found = audit_file(index, out, manifest=manifest, overwrite=overwrite, **asked)
    click.echo(audit_summary(found))
    if found["known"]:
        click.echo("\n" + sentence(found["known"]))
    if manifest:
        say(f"wrote {manifest}; it holds no picture, patient or file name")
    say(f"wrote {out / 'audit.json'} and {out / 'index.csv'}")
    page = write_audit_page(out, names=not no_names, pictures=not no_pictures)
    say(f"wrote {page.path} ({page.kilobytes:,} KB, {page.holds}); open it in a browser")
    say(f"next: brainlens split {out / 'index.csv'}")


@commands.command()
@click.argument("index", type=_FILE)
@click.option(
    "--protocol",
    type=click.Choice(["grouped", "random", "official", "folds"]),
    default="grouped",
    show_default=True,
    help="grouped: no patient, twin or copy on two sides.",
)
@click.option("--test", type=float, default=0.1, show_default=True, help="Share of all images.")
@click.option("--val", type=float, default=0.1, show_default=True, help="Share of the rest.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--folds", type=int, default=0, help="How many folds; default 5, or those known.")
@click.option("--fold", default="", help="The fold that is the test side; default by the seed.")
@click.option("-o", "out", type=_FILE, help="Write another index; default: INDEX itself.")
def split(index: Path, out: Path | None, **request: Any) -> None:
    """Decide which images train, validate and test, so that nothing leaks."""
    from brainlens.data.index import moved, read_index, write_index
    from brainlens.data.split import split_rows, write_record
    from brainlens.report.tables import split_summary

    table = read_index(index)
    rows, record = split_rows(table.rows, **request)
    target = out or index
    write_index(moved(rows, table.folder, target.parent), target.parent, target)
    write_record(record, target)
    click.echo(split_summary(record))
    say(f"wrote {target} and its record; next: brainlens train {target} -o run")


@commands.command()
@click.argument("index", type=_FILE)
@click.option("-o", "run", type=_FILE, required=True, help="The run folder to write.")
@click.option("--recipe", default="", help="A recipe by name; brainlens recipes lists them.")
@click.option("--config", type=_FILE, help="A TOML file of settings.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished run.")
@click.option("--devices", type=click.IntRange(1), default=1, help="GPUs, or CPU processes.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
def train(
    index: Path, run: Path, recipe: str, config: Path | None, sets: tuple[str, ...], resume: bool,
    devices: int, overwrite: bool,
) -> None:  # fmt: skip
    """Train a classifier on the split of INDEX."""
    from brainlens.classify.config import TrainConfig
    from brainlens.core.config import parse_sets, read_toml, resolve
    from brainlens.recipes import read_recipe

    tables = [read_recipe(recipe)] if recipe else []
    tables += [read_toml(config)] if config else []
    settings = resolve(TrainConfig, *tables, parse_sets(sets))
    from brainlens.classify.training import train as run_training

    done = run_training(index, run, settings, overwrite=overwrite, resume=resume, devices=devices)
    click.echo(f"best epoch {done.best_epoch}: {done.monitor} {done.best_value:.4f}")
    say(f"wrote {run} in {duration(done.seconds)}; next: brainlens evaluate {run} {index} -o eval")


@commands.command()
@click.argument("run", type=_FILE)
@click.argument("index", type=_FILE)
@click.option("-o", "out", type=_FILE, required=True, help="The folder to write.")
@click.option("--split", default="test", show_default=True, help="Which rows to judge.")
@click.option("--allow-leaks", is_flag=True, help="Judge images seen in training, and say so.")
@click.option("--overwrite", is_flag=True, help="Replace an evaluation that exists.")
def evaluate(
    run: Path, index: Path, out: Path, split: str, allow_leaks: bool, overwrite: bool
) -> None:
    """Judge a run on the test rows of INDEX, with intervals."""
    from brainlens.classify.evaluation import evaluate as judge
    from brainlens.report.tables import evaluation_summary

    result = judge(run, index, out, split=split, allow_leaks=allow_leaks, overwrite=overwrite)
    click.echo(evaluation_summary(result))
    say(f"wrote {out}; next: brainlens report {run} {out} -o report.html")


@commands.command()
@click.argument("inputs", nargs=-1, required=True, type=_FILE)
@click.option("--model", type=_FILE, required=True, help="A run folder, or an export (.onnx).")
@click.option("--coverage", type=float, help="With an export: answer a set of classes, as 0.95.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a file.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header.")
def predict(
    inputs: tuple[Path, ...], model: Path, coverage: float | None, as_json: bool, as_csv: bool
) -> None:
    """Classify image files, or every image of a folder."""
    from brainlens.data.answers import find_inputs
    from brainlens.report.tables import predictions_as

    files = find_inputs(inputs)
    if model.suffix == ".onnx":
        from brainlens.deploy.classifier import Classifier

        answers, unreadable = Classifier(model).classify(files, coverage=coverage)
    elif coverage is not None:
        raise click.UsageError("--coverage needs an export. Make one: brainlens export RUN")
    else:
        from brainlens.classify.predictor import Predictor

        answers, unreadable = Predictor(model).classify(files)
    form = "json" if as_json else "csv" if as_csv else "table"
    click.echo(predictions_as(form, answers), nl=False)
    for error in unreadable:
        say(f"skipped {error}")
    if unreadable:
        say(f"{len(unreadable)} of {len(files)} files skipped")


@commands.command()
@click.argument("run", type=_FILE)
@click.option("-o", "out", type=_FILE, default=Path("model.onnx"), show_default=True, help="File.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def export(run: Path, out: Path, overwrite: bool) -> None:
    """Write RUN as one calibrated ONNX file that predicts without torch."""
    from brainlens.deploy.export import export as write

    made = write(run, out, overwrite=overwrite)
    held, apart = made["calibration"], made["parity"]["largest difference of a logit"]
    click.echo(
        f"temperature {made['temperature']:.3f}: log loss {held['log loss before']:.3f} to "
        f"{held['log loss after']:.3f} on {held['images']} validation images; logits within "
        f"{apart:.1g} of the run's"
    )
    say(f"wrote {out}; next: brainlens predict --model {out} IMAGE")


@commands.command()
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
    """Try settings in the rows of DESIGN, a TOML file or a recipe, and say what matters."""
    from brainlens.report.studied import summary, verdict
    from brainlens.report.tables import aligned
    from brainlens.study.design import read_design
    from brainlens.study.runner import run_study

    plan = read_design(design, replicates=replicates)
    found = run_study(
        plan, index, out, ray=ray, resume=resume, overwrite=overwrite, allow_leaks=allow_leaks,
        against=against,
    )  # fmt: skip
    for title, table in summary(found):
        click.echo(f"{title}\n{aligned(table)}\n" if title else f"{aligned(table)}\n")
    click.echo(verdict(found))
    spent = duration(found["seconds"]["all"])
    say(f"wrote {out} in {spent}; next: brainlens report {out} -o report.html")


@commands.command()
@click.argument("folders", nargs=-1, required=True, type=_FILE)
@click.option(
    "-o",
    "out",
    type=_FILE,
    default=Path("report.html"),
    show_default=True,
    help="The page to write.",
)
def report(folders: tuple[Path, ...], out: Path) -> None:
    """Make one self-contained HTML page of runs and evaluations."""
    from brainlens.report.page import write_report

    write_report(folders, out)
    say(f"wrote {out}; open it in a browser")


@commands.command()
def recipes() -> None:
    """List the recipes, with what each is."""
    from brainlens.recipes import list_recipes

    for name, what in list_recipes():
        click.echo(f"{name:<24} {what}")


commands.add_command(upscale)


def refuse_used(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unless asked to."""
    from brainlens.core.errors import OutputError

    if path.is_dir():
        raise OutputError(f"{path}: is a folder; expected a file name such as {path}/x.csv")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists. Give --overwrite to replace it, or another -o")


def main() -> None:
    """Run one command; errors become one line and an exit code."""
    try:
        commands.main(prog_name="brainlens", standalone_mode=False)
    except BrainlensError as error:
        fail(str(error), error.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "brainlens"
        fail(f"{error.format_message()} (see {where} --help)", 2)
    except (click.Abort, KeyboardInterrupt):
        fail("stopped; what was written before is whole", 130)
    except BrokenPipeError:  # `brainlens predict ... | head`
        sys.stderr.close()
        sys.exit(0)


def fail(message: str, code: int) -> None:
    """One line to standard error, and out."""
    say("brainlens: " + " ".join(message.split()))
    sys.exit(code)


if __name__ == "__main__":
    main()
