"""Owns the commands of the web app: `serve`, and `audit-log verify` over what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from brainlens.core.errors import UserError
from brainlens.core.progress import say

_FILE = click.Path(path_type=Path)
_FOLDER = click.option(
    "--folder", type=_FILE, default=Path("brainlens-server"), show_default=True,
    help="Where history, audit log and kept images lie.",
)  # fmt: skip
_DATABASE = click.option(
    "--database", default="", metavar="URL", envvar="BRAINLENS_DATABASE",
    help="postgresql://USER:PASSWORD@HOST/NAME; default: SQLite in the folder.",
)  # fmt: skip
_KEY = click.option("--audit-key", type=_FILE, help="File with a secret that seals the audit log.")


@click.command()
@click.option("--model", type=_FILE, help="An export (.onnx); default: the one that is shipped.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="Port to listen on; 0: any free one.")  # fmt: skip
@click.option("--name", "names", multiple=True, help="A host name it answers to; repeatable.")
@click.option("--proxy", default="", metavar="ADDRESS",
              help="A proxy before it: its X-Forwarded-For says who asks.")  # fmt: skip
@_FOLDER
@_DATABASE
@_KEY
@click.option("--token-file", type=_FILE, help="File with a token callers must send.")
@click.option("--open", "open_to_all", is_flag=True, help="Let a network in without a token.")
@click.option("--tls-cert", "certificate", type=_FILE, help="PEM file; with --tls-key.")
@click.option("--tls-key", "private_key", type=_FILE, help="PEM file; with --tls-cert.")
@click.option("--keep-images", is_flag=True, help="Keep the pictures too, not only the answers.")
@click.option("--upscaler", type=_FILE, help="An exported generator, for ESRGAN under Enhance.")
@click.option("--stylist", type=_FILE, help="An exported style model, for the tab Style.")
@click.option("--evaluation", type=_FILE, help="What `evaluate` wrote of the model, to be shown.")
@click.option("--coverage", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True,
              help="Share of answers whose set of classes shall hold the true one.")  # fmt: skip
@click.option("--queue", type=click.IntRange(1), default=64, show_default=True, help="Requests.")
@click.option("--upload-mb", type=click.IntRange(1), default=256, show_default=True,
              help="Largest upload, in megabytes.")  # fmt: skip
@click.option("--pictures-mb", type=click.IntRange(1), default=256, show_default=True,
              help="Memory for the pictures of the latest readings.")  # fmt: skip
def serve(
    model: Path | None, token_file: Path | None, audit_key: Path | None, open_to_all: bool,
    queue: int, upload_mb: int, pictures_mb: int, **told: Any,
) -> None:  # fmt: skip
    """Serve the web page and the JSON API. On this machine alone unless told otherwise."""
    _need()
    from brainlens.deploy.answering import box
    from brainlens.deploy.service import server
    from brainlens.deploy.service.settings import MEGABYTE, Limits, Settings

    settings = Settings(
        model or box(), token=server.read_token(token_file),
        audit_key=server.read_key(audit_key),
        limits=Limits(queue=queue, upload=upload_mb * MEGABYTE, album=pictures_mb * MEGABYTE),
        **told,
    )  # fmt: skip
    server.check(settings, open_to_all=open_to_all)
    server.run(settings)


@click.group("audit-log", context_settings={"help_option_names": ["-h", "--help"]})
def audit_log() -> None:
    """Look after a server's audit log."""


@audit_log.command()
@_FOLDER
@_DATABASE
@_KEY
@click.option("--expect", default="", metavar="DIGEST", help="A head written down earlier.")
def verify(folder: Path, database: str, audit_key: Path | None, expect: str) -> None:
    """Check that every entry is there, unchanged and in order."""
    _need()
    from brainlens.deploy.service.auditlog import faults, head_of
    from brainlens.deploy.service.database import open_database
    from brainlens.deploy.service.server import read_key

    if not database and not (folder / "readings.sqlite").is_file():
        raise UserError(f"{folder}: holds no readings.sqlite; expected the --folder of a server")
    key = read_key(audit_key)
    with open_database(database, folder).connect().execution_options(reading=True) as connection:
        found = list(faults(connection, key, expect.strip().lower()))
        entries, digest = head_of(connection)
    for fault in found:
        click.echo(fault)
    if found:
        raise UserError(
            f"the audit log does not hold: {len(found)} faults. Keep the database as it is, and "
            "compare it with a backup"
        )
    sealed = "sealed with the key" if key else "not sealed with a key"
    click.echo(f"the audit log holds: {entries} entries, {sealed}; head {digest}")
    say("write the head down elsewhere: --expect proves later that nothing before it changed")


def _need() -> None:
    """Raises UserError where the packages of the web app are not installed."""
    import importlib.util

    for name in ("fastapi", "uvicorn", "sqlalchemy", "alembic", "prometheus_client"):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"{name} is not installed. Run: pip install 'brainlens[serve]'")
