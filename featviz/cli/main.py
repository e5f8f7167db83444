"""`featviz`: the list of commands, and how the program ends."""

import contextlib
import importlib
import logging
import sys
from typing import NoReturn

import click

from featviz.cli.exit_status import (
    INTERRUPTED,
    WRONG_COMMAND,
    Interrupted,
    close_output,
    describe_system_error,
    one_printable_line,
    was_interrupted,
)
from featviz.cli.versions import print_versions
from featviz.cli.warning_lines import short_warnings
from featviz.errors import ArgumentError, FeatvizError, suggest

# Every command by the heading under which `featviz --help` lists it. NAME-OF-COMMAND is the function `name_of_command`
# of `featviz/cli/commands/name_of_command.py`.
COMMANDS = {
    "Start here": ["demo"],
    "Get to know a network": ["models", "layers", "check"],
    "Draw what units look for": ["recipes", "render", "dream"],
    "Draw every unit of a network": ["atlas", "activation-atlas", "site", "export"],
    "Compare pictures with photographs": ["survey", "evidence"],
    "Explain a decision, and a unit": ["explain", "circuit"],
    "Find concepts in a layer": ["dictionary"],
    "Measure what natural images are like": ["spectrum", "prior"],
}


class CommandGroup(click.Group):
    """The commands of COMMANDS, each imported when it is used; an unknown one is answered with the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the list."""
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"featviz.cli.commands.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest command in the error."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command `{args[0]}`; {suggest(args[0], names)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under their headings, one line each."""
        for heading, names in COMMANDS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(heading):
                formatter.write_dl([(name, command.get_short_help_str(100)) for name, command in commands if command])


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_versions,
    help="Print the versions that a report of a bug needs.",
)
@click.option("--debug", is_flag=True, help="Print the traceback of an error.")
def cli(debug: bool) -> None:
    """What does this unit of a neural network look for? featviz answers with pictures.

    `featviz COMMAND --help` describes a command.
    """


def run(arguments: list[str] | None = None) -> None:
    """Runs the command line, and exits unless all went well.

    Args:
      arguments: what follows `featviz`. By default the program's own.

    Raises:
      SystemExit: with status 1 when the work failed, 2 when the command was wrong, 130 after Ctrl-C. Standard error
        then has one line.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if debug:
        # People add it at the end of the line that failed; click takes it only before the command.
        arguments = ["--debug", *(word for word in arguments if word != "--debug")]
    else:
        # Of several writes at once that fail, Zarr raises one error; asyncio would print the traceback of each other.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        with contextlib.nullcontext() if debug else short_warnings():
            cli.main(arguments, prog_name="featviz", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(0)
    except Interrupted as error:
        _exit(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _exit("stopped", INTERRUPTED)
    except Exception as error:
        if was_interrupted(error):
            _exit("stopped", INTERRUPTED)
        if isinstance(error, click.ClickException):
            _exit(error.format_message(), error.exit_code)
        if debug:
            raise
        if isinstance(error, FeatvizError):
            _exit(str(error), WRONG_COMMAND if isinstance(error, ArgumentError) else 1)
        if isinstance(error, BrokenPipeError):
            # The reader, `head` for example, has what it wanted.
            close_output()
            sys.exit(1)
        if (reason := describe_system_error(error)) is not None:
            close_output()
            _exit(reason, 1)
        _exit(f"{type(error).__name__}: {error} (a bug in featviz; --debug prints the traceback)", 1)


def _exit(message: str, status: int) -> NoReturn:
    # The stream may be on the disk that is full.
    with contextlib.suppress(OSError):
        click.echo(f"featviz: {one_printable_line(message)}", err=True)
    sys.exit(status)
