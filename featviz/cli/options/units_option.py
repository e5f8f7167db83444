"""`--units`: which units of each layer an atlas has."""

from collections.abc import Sequence

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.layers_option import split
from featviz.errors import FeatvizError

# No layer has as many units, and a longer range would fill the memory.
MAX_DIGITS = 7

Units = list[int] | dict[str, list[int]] | None


def parse_units(texts: Sequence[str]) -> Units:
    """`0-15,40` as a list, several `LAYER:UNITS` as lists by layer, nothing as None.

    >>> parse_units(("0-2,5",)), parse_units(("conv1:3", "conv2:0-1"))
    ([0, 1, 2, 5], {'conv1': [3], 'conv2': [0, 1]})
    """
    if not texts:
        return None
    if len(texts) == 1 and ":" not in texts[0]:
        return _parse_ranges(texts[0])
    units: dict[str, list[int]] = {}
    for text in texts:
        layer, colon, ranges = text.rpartition(":")
        if not colon:
            raise FeatvizError(f"--units is `{text}`; expected LAYER:UNITS, as there are several")
        units[layer] = units.get(layer, []) + _parse_ranges(ranges)
    return units


def _parse_ranges(text: str) -> list[int]:
    indices: list[int] = []
    for part in split(text):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(first) > int(last)):
            raise FeatvizError(f"--units is `{text}`; expected numbers and ranges, such as 0-15,40")
        if len(last or first) > MAX_DIGITS:
            raise FeatvizError(f"--units is `{text}`; expected numbers of at most {MAX_DIGITS} digits")
        indices += range(int(first), int(last or first) + 1)
    return indices


def _parse_units(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> Units:
    with usage_errors():
        return parse_units(texts)


units_option = click.option(
    "--units",
    metavar="UNITS",
    multiple=True,
    callback=_parse_units,
    help="Draw these units of each layer, such as 0-15,40, or LAYER:UNITS once for each layer.  [default: all]",
)
