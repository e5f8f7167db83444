"""`featviz models`: the zoo as a table, and which of its weights are on this disk."""

from typing import TYPE_CHECKING

import click

from featviz.cli.tables import echo_rows

if TYPE_CHECKING:
    from featviz.zoo.entry import Entry

HEADINGS = ("network", "input", "params", "top-1", "license", "weights from", "here")
# The widest a column may be: with the spaces between them, and two before, a line has at most 100 characters.
WIDTHS = (21, 5, 7, 9, 12, 23, 9)
NUMBERS = (1, 2)


@click.command()
def models() -> None:
    """List the networks of the zoo: input size, parameters, published accuracy, license, weights.

    The last column says where the weights are: `built in`, `cached` on this disk, downloaded `on use`, or in a file of
    yours that --weights names.
    """
    from featviz.zoo.registry import ENTRIES

    families: dict[str, list[Entry]] = {}
    for entry in ENTRIES:
        families.setdefault(entry.family, []).append(entry)
    echo_rows([HEADINGS], WIDTHS, numbers=NUMBERS)
    for family, entries in families.items():
        click.echo(family)
        for entry in entries:
            echo_rows([_cells(entry)], WIDTHS, numbers=NUMBERS)
            if entry.aliases:
                click.echo(f"    or {', '.join(entry.aliases)}")


def _cells(entry: "Entry") -> tuple[str, ...]:
    """The entry's texts by column."""
    height, width = entry.input.size
    size = str(height) if height == width else f"{height}x{width}"
    count = f"{entry.parameters / 1e6:.1f} M" if entry.parameters >= 1e6 else f"{entry.parameters / 1e3:.0f} k"
    accuracy = entry.accuracy.replace(" top-1", "")
    origin = entry.origin.removeprefix("github.com/")
    return entry.name, size, count, accuracy, entry.license, origin, _describe_weights(entry)


def _describe_weights(entry: "Entry") -> str:
    """Where the network's weights are."""
    from featviz.zoo.weights.locate import on_disk

    if entry.bundled_path is not None:
        return "built in"
    if on_disk(entry) is not None:
        return "cached"
    return "on use" if entry.sources else "--weights FILE"
