"""`--keep-channels`: the channels of the image at the start that stay as they are."""

import re

import click

from featviz.cli.options.option_group import Parsed
from featviz.errors import FeatvizError


def parse_channels(text: str) -> tuple[int, ...]:
    """The channels of a list of numbers and ranges.

    >>> parse_channels("0,3-5")
    (0, 3, 4, 5)

    Raises:
      FeatvizError: if it is no such list.
    """
    channels: list[int] = []
    for word in text.split(","):
        parts = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?\s*", word, re.ASCII)
        first, last = (int(parts[1]), int(parts[2] or parts[1])) if parts else (1, 0)
        if first > last:
            raise FeatvizError(f"--keep-channels is `{text}`; expected channels, such as 3,4 or 0-2")
        channels += range(first, last + 1)
    return tuple(channels)


def check_channels(channels: tuple[int, ...] | None, count: int) -> None:
    """Refuses channels that an image of `count` does not have, and all of them.

    >>> check_channels((0, 1), 3)
    """
    if channels is not None and (max(channels) >= count or len(set(channels)) == count):
        listed = ",".join(map(str, channels))
        raise FeatvizError(f"--keep-channels is {listed}; expected some of the {count} channels, 0 to {count - 1}")


keep_channels_option = click.option(
    "--keep-channels",
    type=Parsed(parse_channels),
    metavar="LIST",
    help="Leave these channels as they are at the start, such as 3,4 or 0-2 of an image of several bands.",
)
