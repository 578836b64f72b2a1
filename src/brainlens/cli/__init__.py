"""Owns the command line: each command parses, calls one function, prints what was written.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 2 the input
is wrong (one line), 1 a fault of ours, 130 stopped by Ctrl-C. Heavy imports wait for the command
that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from brainlens import __version__
from brainlens.cli import models, pages, scans
from brainlens.cli.doctor import doctor
from brainlens.cli.serve import audit_log, serve
from brainlens.cli.style import style
from brainlens.cli.synth import synth
from brainlens.cli.upscale import upscale
from brainlens.core.errors import BrainlensError, nearest
from brainlens.core.processors import keep_within
from brainlens.core.progress import say


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


# In the order of the work.
for command in (
    pages.demo, scans.index, scans.audit, scans.split, models.train, models.evaluate,
    models.compare, models.predict, models.export, models.study, models.reproduce, pages.report,
    pages.recipes, synth, upscale, style, serve, audit_log, doctor,
):  # fmt: skip
    commands.add_command(command)


def main() -> None:
    """Run one command; errors become one line and an exit code."""
    keep_within()
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
