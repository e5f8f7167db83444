"""`featviz`: the commands, and how their errors are told."""

import sys
from typing import Any

import click

from featviz.cli.commands.atlas import atlas
from featviz.cli.commands.check import check
from featviz.cli.commands.dream import dream
from featviz.cli.commands.evidence import evidence
from featviz.cli.commands.export import export
from featviz.cli.commands.layers import layers
from featviz.cli.commands.models import models
from featviz.cli.commands.recipes import recipes
from featviz.cli.commands.render import render
from featviz.cli.commands.site import site
from featviz.cli.commands.spectrum import spectrum
from featviz.cli.commands.survey import survey
from featviz.cli.session import Stopped, was_interrupted
from featviz.errors import FeatvizError, nearest
from featviz.version import __version__


class Commands(click.Group):
    """A group that names the nearest command when it does not know one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command `{args[0]}`; {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="featviz")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """What does this unit of a neural network look for? featviz answers with pictures."""


for command in (models, layers, check, recipes, render, atlas, site, export, dream, survey, evidence, spectrum):
    cli.add_command(command)


def run(arguments: list[str] | None = None) -> None:
    """Runs the command line: exit status 0, 1 when the work failed, 2 when the command was wrong, 130 after Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--debug" in arguments:
        # Wherever it stands, it is the group's: people add it at the end of the line that failed.
        arguments = ["--debug", *(word for word in arguments if word != "--debug")]
    try:
        cli.main(arguments, prog_name="featviz", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except Stopped as error:
        _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("stopped", Stopped.exit_code)
    except Exception as error:
        if was_interrupted(error):
            _fail("stopped", Stopped.exit_code)
        if isinstance(error, click.ClickException):
            _fail(error.format_message(), error.exit_code)
        if isinstance(error, FeatvizError) and "--debug" not in arguments:
            _fail(str(error), 1)
        if "--debug" in arguments:
            raise
        _fail(f"{type(error).__name__}: {error} (this is a fault of featviz; --debug shows where)", 1)


def _fail(message: str, status: int) -> None:
    line = " ".join(message.split())
    # A name out of a file may hold anything: nothing unprintable reaches the terminal.
    printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    click.echo(f"featviz: {printable}", err=True)
    sys.exit(status)
