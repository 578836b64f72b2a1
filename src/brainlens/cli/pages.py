"""Owns the commands that only show: `demo`, `report`, `recipes`."""

from __future__ import annotations

from pathlib import Path

import click

from brainlens.core.progress import say

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("-o", "out", type=_FILE, default=Path("brainlens-demo"), help="Folder to write.")
@click.option("--overwrite", is_flag=True, help="Replace the results of an earlier demo.")
def demo(out: Path, overwrite: bool) -> None:
    """Run everything once on the embedded synthetic sample (3 minutes, no network)."""
    from brainlens.demo import run_demo

    click.echo(run_demo(out, overwrite=overwrite))


@click.command()
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


@click.command()
def recipes() -> None:
    """List the recipes, with what each is."""
    from brainlens.recipes import list_recipes

    for name, what in list_recipes():
        click.echo(f"{name:<24} {what}")
