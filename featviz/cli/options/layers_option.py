"""`--layers NAME,...`: layers by name or pattern, in every command that takes layers."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from featviz.model import Model


def layers_option(help_text: str) -> Callable[[Any], Any]:
    """The option: names or patterns split at commas; `--layer` and `-l` are the same, and all may be repeated."""
    return click.option("--layers", "--layer", "-l", "layers", multiple=True, metavar="NAME,...", help=help_text)


def split_all(texts: Sequence[str]) -> list[str] | None:
    """The names and patterns of all texts, split at commas; None if there is no text.

    >>> split_all(("conv1,conv2", "mixed*")), split_all(())
    (['conv1', 'conv2', 'mixed*'], None)
    """
    return [part for text in texts for part in split(text)] if texts else None


def split(text: str) -> list[str]:
    """Names or patterns, split at commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def find_layers(model: "Model", texts: Sequence[str]) -> list[str] | None:
    """The layers that the names and patterns match, in the order in which they are given; None if there is no text.

    Raises:
      FeatvizError: for a pattern that matches no layer, with the nearest name.
    """
    from featviz.model.layer_patterns import choose_layers

    patterns = split_all(texts)
    if patterns is None:
        return None
    # An option of commas alone names nothing, and is refused as that.
    return list(dict.fromkeys(name for pattern in patterns or [""] for name in choose_layers(model, [pattern])))
