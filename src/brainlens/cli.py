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
@click.option("--against", type=_FILE, help="Another index: which of its images are here too?")
@click.option(
    "--predictions",
    multiple=True,
    type=_FILE,
    metavar="EVAL",
    help="An evaluation of a run of INDEX: suspects wrong labels; repeatable.",
)
@click.option("--drop", is_flag=True, help="Leave unfit images out of the new index.")
@click.option("--overwrite", is_flag=True, help="Replace an audit that exists.")
def audit(index: Path, out: Path, **request: Any) -> None:
    """Find twins, copies, leaks, wrong labels and unfit images in INDEX."""
    from brainlens.data.audit_file import audit_file
    from brainlens.report.tables import audit_summary

    found = audit_file(index, out, **request)
    click.echo(audit_summary(found))
    say(f"wrote {out / 'audit.json'} and {out / 'index.csv'}")
    say(f"next: brainlens split {out / 'index.csv'}, or brainlens report {out} -o report.html")


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
@click.option("--degrade", is_flag=True, help="Also under graded blur, noise, low resolution ...")
@click.option("--overwrite", is_flag=True, help="Replace an evaluation that exists.")
def evaluate(run: Path, index: Path, out: Path, **request: Any) -> None:
    """Judge a run on the test rows of INDEX, with intervals."""
    from brainlens.classify.evaluation import evaluate as judge
    from brainlens.report.tables import evaluation_summary

    result = judge(run, index, out, **request)
    click.echo(evaluation_summary(result))
    say(f"wrote {out}; next: brainlens report {run} {out} -o report.html")


@commands.command()
@click.argument("inputs", nargs=-1, required=True, type=_FILE)
@click.option("--model", type=_FILE, required=True, help="A run folder.")
@click.option("--json", "as_json", is_flag=True, help="JSON, one object a file.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header.")
def predict(inputs: tuple[Path, ...], model: Path, as_json: bool, as_csv: bool) -> None:
    """Classify image files, or every image of a folder."""
    from brainlens.classify.predictor import Predictor, find_inputs
    from brainlens.report.tables import predictions_as

    files = find_inputs(inputs)
    answers, unreadable = Predictor(model).classify(files)
    form = "json" if as_json else "csv" if as_csv else "table"
    click.echo(predictions_as(form, answers), nl=False)
    for error in unreadable:
        say(f"skipped {error}")
    if unreadable:
        say(f"{len(unreadable)} of {len(files)} files skipped")


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
@click.argument("folders", nargs=-1, required=True, type=_FILE, metavar="EVAL EVAL...")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def compare(folders: tuple[Path, ...], as_json: bool) -> None:
    """Is one model better than another on the same test images? Tests, corrected."""
    import json

    from brainlens.report.compared import as_document, compare_folders, summary

    pairs = compare_folders(folders)
    click.echo(json.dumps(as_document(pairs), indent=1) if as_json else summary(pairs))


@commands.command()
@click.argument("recipe")
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("-o", "out", type=_FILE, required=True, help="Folder to write.")
@click.option("--quick", is_flag=True, help="Prove that it runs: few images, two epochs.")
@click.option("--external", multiple=True, metavar="TRAIN:TEST", help="Between two sets instead.")
@click.option("--degrade", is_flag=True, help="Also under graded blur, noise, low resolution ...")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--overwrite", is_flag=True, help="Replace a reproduction that exists.")
def reproduce(recipe: str, data: tuple[str, ...], out: Path, sets: Any, **request: Any) -> None:
    """A seed's figure, ours under its protocol, ours leak-free. DATA: FOLDER or SET=FOLDER."""
    from brainlens.core.config import parse_sets
    from brainlens.report.reproduced import summary
    from brainlens.reproduce.reproduction import reproduce as run

    click.echo(summary(run(recipe, data, out, sets=parse_sets(sets), **request)))
    say(f"wrote {out / 'reproduce.json'} and {out / 'report.html'}")


@commands.command()
def recipes() -> None:
    """List the recipes, with what each is."""
    from brainlens.recipes import list_recipes

    for name, what in list_recipes():
        click.echo(f"{name:<24} {what}")


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
