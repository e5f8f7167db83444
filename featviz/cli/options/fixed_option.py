"""`--fixed NAME=FILE`: arrays for the inputs of a network besides its image."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.options.option_group import Parsed
from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    import numpy as np

# The name of an input and the file of its array.
FixedFile = tuple[str, Path]


def parse_fixed(text: str) -> FixedFile:
    """The input and the file that a word of --fixed names; the name of an input may have `=` in it.

    >>> parse_fixed("meta=meta.npy")
    ('meta', PosixPath('meta.npy'))

    Raises:
      FeatvizError: if it is not NAME=FILE.
    """
    name, equals, file = text.rpartition("=")
    if not (name and equals and file):
        raise FeatvizError(f"--fixed is `{text}`; expected NAME=FILE.npy, such as meta=meta.npy")
    return name, Path(file)


fixed_option = click.option(
    "--fixed",
    type=Parsed(parse_fixed),
    multiple=True,
    metavar="NAME=FILE",
    help="Hold the network's input NAME at the array of a .npy file, for one image. The option may be repeated.",
)


def read_fixed(files: Sequence[FixedFile]) -> dict[str, "np.ndarray"]:
    """The arrays by the names of their inputs.

    Raises:
      FeatvizError: if an input is named twice, or a file holds no array that can be read.
    """
    import numpy as np

    arrays: dict[str, np.ndarray] = {}
    for name, path in files:
        if name in arrays:
            raise FeatvizError(f"--fixed names `{name}` twice; expected each input once")
        try:
            with path.open("rb") as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
        except FileNotFoundError:
            raise FeatvizError(f"--fixed: `{path.name}` does not exist; expected a .npy file") from None
        except Exception as error:
            raise FeatvizError(f"--fixed: `{path.name}` cannot be read: {in_one_line(error)}") from None
    return arrays


def fixed_words(files: Sequence[FixedFile]) -> str:
    """The option's values as `Model.source` keeps them.

    >>> fixed_words([("meta", Path("meta.npy")), ("state", Path("my state.npy"))])
    "meta=meta.npy 'state=my state.npy'"
    """
    return shlex.join(f"{name}={path}" for name, path in files)
