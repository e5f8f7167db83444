"""`--layers NAME,...`: layers by name or pattern, in every command that takes some."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from featviz.model import Model

F = TypeVar("F", bound=Callable[..., Any])


def layers_option(help_text: str) -> Callable[[F], F]:
    """The option: names or patterns split at commas; `--layer` and `-l` are the same, and all may be repeated."""
    return click.option("--layers", "--layer", "-l", "layers", multiple=True, metavar="NAME,...", help=help_text)


def split_all(texts: Sequence[str]) -> list[str] | None:
    """What was given, split at commas; None if nothing was.

    >>> split_all(("conv1,conv2", "mixed*")), split_all(())
    (['conv1', 'conv2', 'mixed*'], None)
    """
    return [part for text in texts for part in split(text)] if texts else None


def split(text: str) -> list[str]:
    """Names or patterns, split at commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def find_layers(model: "Model", texts: Sequence[str]) -> list[str] | None:
    """The layers that the names and patterns fit, in the order in which they are given; None if nothing was.

    Raises: FeatvizError for a pattern that fits none, with the nearest name.
    """
    from featviz.model.layer_patterns import choose_layers

    patterns = split_all(texts)
    if patterns is None:
        return None
    # An option of commas alone names nothing, and is refused as that.
    return list(dict.fromkeys(name for each in patterns or [""] for name in choose_layers(model, [each])))
