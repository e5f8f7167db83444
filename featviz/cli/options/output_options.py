"""What several commands write, and what they print: --format, --revision, --quiet."""

from collections.abc import Callable
from typing import Any

import click

from featviz.cli.options.option_group import PATH


def out_option(help_text: str, *, metavar: str = "PATH") -> Callable[[Any], Any]:
    """-o, --out: where the command writes."""
    return click.option("-o", "--out", type=PATH, required=True, metavar=metavar, help=help_text)


def quiet_option(*, printed: str) -> Callable[[Any], Any]:
    """--quiet: without progress, and without `printed`, what the command prints at its end."""
    return click.option("--quiet", is_flag=True, help=f"Print no progress and no {printed}.")


format_option = click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "webp", "npy"]),
    default="png",
    show_default=True,
    help="Write pictures in this format.",
)
revision_option = click.option(
    "--revision",
    metavar="HASH",
    help="Read the pictures of another recipe, size, number of steps or seed.  [default: the latest]",
)
