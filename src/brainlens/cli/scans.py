"""Owns the commands about the scans themselves: `index`, `audit`, `split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from brainlens.core.files import refuse_used
from brainlens.core.progress import say

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("roots", nargs=-1, required=True, type=_FILE)
@click.option("-o", "out", type=_FILE, default=Path("index.csv"), help="The index to write.")
@click.option("--label-map", default="", help="types, binary, yes=tumour,no=none, or a TOML file.")
@click.option("--manifest", type=_FILE, help="CSV of patients, folds, twin groups by file.")
@click.option("--overwrite", is_flag=True, help="Replace an index that exists.")
def index(
    roots: tuple[Path, ...], out: Path, label_map: str, manifest: Path | None, overwrite: bool
) -> None:
    """List every image of ROOT/CLASS with label, digests and group."""
    from brainlens.data.index import write_index
    from brainlens.data.indexing import index_folders
    from brainlens.data.labels import parse_map
    from brainlens.report.tables import index_summary

    refuse_used(out, overwrite)
    found = index_folders(roots, label_map=parse_map(label_map), manifest=manifest)
    write_index(found.rows, Path("/"), out)
    click.echo(index_summary(found))
    say(f"wrote {out}; next: brainlens audit {out} -o audit, or brainlens split {out}")


@click.command()
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
    """Find twins, leaks, wrong labels and unfit images in INDEX."""
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


@click.command()
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
@click.option("--partial", default="", help="A label that means one of others, as tumour.")
@click.option("-o", "out", type=_FILE, help="Write another index; default: INDEX itself.")
@click.option("--overwrite", is_flag=True, help="Replace another index that exists.")
def split(index: Path, out: Path | None, overwrite: bool, **request: Any) -> None:
    """Decide which images train, validate and test, without leaks."""
    from brainlens.data.index import moved, read_index, write_index
    from brainlens.data.split import split_rows, write_record
    from brainlens.report.tables import split_summary

    target = out or index
    if target.resolve() != index.resolve():
        refuse_used(target, overwrite)
    table = read_index(index)
    rows, record = split_rows(table.rows, **request)
    write_index(moved(rows, table.folder, target.parent), target.parent, target)
    write_record(record, target)
    click.echo(split_summary(record))
    say(f"wrote {target} and its record; next: brainlens train {target} -o run")
