"""Owns the commands that only show: `demo`, `report`, `recipes`."""

from __future__ import annotations

from pathlib import Path

import click

from brainlens.core.progress import say

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("-o", "out", type=_FILE, default=Path("brainlens-demo"), help="Folder to write.")
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Train for less, or longer, than the recipe says."
)
@click.option("--overwrite", is_flag=True, help="Replace the results of an earlier demo.")
def demo(out: Path, epochs: int | None, overwrite: bool) -> None:
    """Run everything once on the embedded sample. Three minutes, no network."""
    from brainlens.demo import run_demo

    click.echo(run_demo(out, epochs=epochs or 0, overwrite=overwrite))


@click.command()
@click.argument("folders", nargs=-1, required=True, type=_FILE)
@click.option("-o", "out", type=_FILE, help="The page to write; default: report.html.")
@click.option(
    "--checklist", default="", metavar="claim|tripod",
    help="Instead: fill in CLAIM or TRIPOD+AI from a RUN, its EVAL and its AUDIT (.md or .html).",
)  # fmt: skip
def report(folders: tuple[Path, ...], out: Path | None, checklist: str) -> None:
    """Make one self-contained page of runs and evaluations."""
    if checklist:
        from brainlens.report.checklist.page import write_checklist

        target = out or Path(f"{checklist}.md")
        click.echo(write_checklist(checklist, folders, target))
        say(f"wrote {target}; what is open only its author can say")
        return
    from brainlens.report.page import write_report

    target = write_report(folders, out or Path("report.html"))
    say(f"wrote {target}; open it in a browser")


@click.command()
def recipes() -> None:
    """List the recipes, with what each is."""
    from brainlens.recipes import list_recipes

    for name, what in list_recipes():
        click.echo(f"{name:<24} {what}")
