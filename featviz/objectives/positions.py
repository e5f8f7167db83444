"""Positions of a layer: checked, read from activations, averaged, and written in labels and targets."""

from collections.abc import Sequence
from typing import SupportsInt

import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.objectives.base import Index

Position = tuple[Index, ...]

# A unit and a position in a target, as `read_position` takes it.
UNIT_AT_POSITION = r"(?P<unit>\d+)@(?P<position>center|centre|class|\d+(?:x\d+)*)"
# A unit over the tokens of patches in a target, as `read_patches` takes it.
UNIT_OVER_PATCHES = r"(?P<unit>\d+)@(?P<patches>patches\d*)"


def as_position(position: Sequence[int] | None) -> Position | None:
    """A position as a term holds it: (row, column), (token,) or None."""
    return None if position is None else tuple(as_int("position", coordinate) for coordinate in position)


def as_class_tokens(class_tokens: int) -> int:
    """A number of class tokens.

    Raises: FeatvizError for a negative one.
    """
    count = int(as_int("class_tokens", class_tokens))
    if count < 0:
        raise FeatvizError(f"`class_tokens` is {count}; expected 0 or more, such as 1")
    return count


def check_unit(layer: str, unit: Index, shape: tuple[int, ...]) -> None:
    """Raises FeatvizError unless the layer has the unit."""
    if not 0 <= int(unit) < shape[-1]:
        raise FeatvizError(f"`unit` {int(unit)} is out of range; {layer} has {shape[-1]} units, 0 to {shape[-1] - 1}")


def check_position(layer: str, position: Position, shape: tuple[int, ...]) -> None:
    """Raises FeatvizError unless the layer has the position at this picture size."""
    sizes = shape[:-1]
    if not sizes:
        raise FeatvizError(f"{layer} has no positions; expected an objective without `position`")
    inside = len(position) == len(sizes) and all(
        0 <= coordinate < size for coordinate, size in zip(position, sizes, strict=True)
    )
    if not inside:
        written, size = _write_sizes(position), _write_sizes(sizes)
        raise FeatvizError(f"`position` {written} is outside {layer}, which is {size} at this picture size")


def check_tokens(layer: str, class_tokens: int, shape: tuple[int, ...]) -> None:
    """Raises FeatvizError unless the layer has tokens, and more than its class tokens."""
    if len(shape) != 2:
        raise FeatvizError(f"`class_tokens` is {class_tokens}; {layer} is {shape} and has no tokens")
    if not class_tokens < shape[0]:
        raise FeatvizError(f"`class_tokens` is {class_tokens}; {layer} has {shape[0]} tokens")


def at_position(values: Array, position: Sequence[Index | int]) -> Array:
    """`values[:, *position]`, where the position may be traced."""
    for coordinate in position:
        values = jnp.take(values, coordinate, axis=1)
    return values


def position_mean(values: Float[Array, "n ..."]) -> Float[Array, " n"]:
    """The mean of each image's values over all positions."""
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))


def position_rows(h: Float[Array, "n ... c"]) -> Float[Array, "n p c"]:
    """Activations with all positions on one axis."""
    return h.reshape(h.shape[0], -1, h.shape[-1])


def write_position(position: Position) -> str:
    """How a label and the command line write a position.

    >>> write_position((3, 4))
    '@3x4'
    """
    return "@" + _write_sizes(position)


def read_position(text: str) -> tuple[int, ...] | None:
    """The position that `write_position` wrote, without its @; the class token is token 0, the center None.

    >>> read_position("3x4"), read_position("class"), read_position("center")
    ((3, 4), (0,), None)
    """
    if text in ("center", "centre"):
        return None
    return (0,) if text == "class" else tuple(int(part) for part in text.split("x"))


def write_patches(class_tokens: int) -> str:
    """How a label and the command line write all tokens except the class tokens.

    >>> write_patches(1), write_patches(2)
    ('@patches', '@patches2')
    """
    return "@patches" + ("" if class_tokens == 1 else str(class_tokens))


def read_patches(text: str) -> int:
    """The number of class tokens that `write_patches` wrote, without its @.

    >>> read_patches("patches"), read_patches("patches2")
    (1, 2)
    """
    return int(text.removeprefix("patches") or 1)


def _write_sizes(sizes: Sequence[SupportsInt]) -> str:
    return "x".join(str(int(size)) for size in sizes)
