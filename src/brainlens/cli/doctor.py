"""Owns the command `doctor`."""

from __future__ import annotations

import click

from brainlens.core.errors import UserError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def doctor(as_json: bool) -> None:
    """Say what is installed, what is missing and what mends it."""
    import json

    from brainlens.doctor.checkup import document, look, table, verdict

    found = look()
    click.echo(json.dumps(document(found), indent=1) if as_json else table(found))
    if any(one.state == "wrong" for one in found):
        raise UserError(f"{verdict(found)}; see above what mends it")
