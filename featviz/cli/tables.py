"""Printed lists: tables of text whose long cells are broken into lines, and images that were skipped."""

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import click

# More skipped images than this are counted.
SKIPPED_SHOWN = 5


def echo_rows(rows: Iterable[Sequence[str]], widths: Sequence[int], *, numbers: Collection[int] = ()) -> None:
    """Prints rows of a table; `widths` and `numbers` as of `row_lines`."""
    for texts in rows:
        for line in row_lines(texts, widths, numbers=numbers):
            click.echo(line)


def row_lines(texts: Sequence[str], widths: Sequence[int], *, numbers: Collection[int] = ()) -> list[str]:
    """One row of a table, as many lines as its highest cell has, each indented by two spaces.

    Args:
      texts: the cells.
      widths: the columns' widths in characters.
      numbers: indices of columns that are flush right.

    >>> row_lines(["a name", "7"], [4, 3], numbers=[1])
    ['  a       7', '  name']
    """
    cells = [textwrap.wrap(text, width, break_on_hyphens=False) for text, width in zip(texts, widths, strict=True)]
    lines = []
    for index in range(max(map(len, cells))):
        parts = [cell[index] if index < len(cell) else "" for cell in cells]
        row = [
            part.rjust(width) if column in numbers else part.ljust(width)
            for column, (part, width) in enumerate(zip(parts, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(row)}".rstrip())
    return lines


def echo_skipped(faults: Mapping[str, str], *, listed_in: Path | None = None) -> None:
    """Prints on standard error which images could not be read, and why; the first few in full.

    Args:
      faults: the reason by the image's name.
      listed_in: a file that has all of them.
    """
    for name, fault in list(faults.items())[:SKIPPED_SHOWN]:
        click.echo(f"skipped {name}: {fault}", err=True)
    if len(faults) > SKIPPED_SHOWN:
        where = "" if listed_in is None else f"; all are in {listed_in}"
        click.echo(f"skipped {len(faults) - SKIPPED_SHOWN} more{where}", err=True)
