"""The edits by name: `ablate`, `clamp`, `scale`, `add_direction`, `keep`, `patch_in`, `resample`."""

from collections.abc import Iterable, Sequence
from textwrap import shorten

import numpy as np
from jax.typing import ArrayLike

from featviz.common.arguments import as_int, is_sequence
from featviz.errors import FeatvizError
from featviz.model.edits import AddDirection, Clamp, Edit, PatchIn, Scale, Selection
from featviz.model.model import Layer

# One index, or several.
Units = int | Iterable[int] | None
# One position, or several: (row, column) or (token,).
Positions = Sequence[int] | Sequence[Sequence[int]] | None


def ablate(units: Units, *, positions: Positions = None, to: ArrayLike = 0.0) -> Edit:
    """Units taken out: their activations become zero, or what they are on average.

    Args:
        units: One unit or several, None for all.
        positions: The positions where, (row, column) or (token,), or several of them; by default all.
        to: What the units become: a number, or one for each unit, such as their means over photographs.

    Raises:
        FeatvizError: For what is no whole number; by `Model.edited`, for units and positions that the layer lacks.

    >>> ablate([1])(np.ones((1, 2, 3), np.float32)).tolist()
    [[[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]]
    """
    return Clamp(_select(units, positions), _numbers("to", to))


def clamp(units: Units, value: ArrayLike, *, positions: Positions = None) -> Edit:
    """Units held at a value.

    Args:
        units: One unit or several, None for all.
        value: A number, or one for each unit.
        positions: As of `ablate`.

    >>> clamp(0, 5.0, positions=(1,))(np.ones((1, 2, 2), np.float32)).tolist()
    [[[1.0, 1.0], [5.0, 1.0]]]
    """
    return Clamp(_select(units, positions), _numbers("value", value))


def scale(units: Units, factor: float, *, positions: Positions = None) -> Edit:
    """Units multiplied by a factor: 0 takes them out, 2 doubles them, -1 turns them around.

    >>> scale(1, 3.0)(np.ones((1, 2), np.float32)).tolist()
    [[1.0, 3.0]]
    """
    return Scale(_select(units, positions), _number("factor", factor))


def add_direction(direction: ArrayLike, *, strength: float = 1.0, positions: Positions = None) -> Edit:
    """A direction of the layer added at every position, or at some: steering.

    Args:
        direction: One number a unit.
        strength: Its factor.
        positions: As of `ablate`.

    >>> add_direction([0.0, 1.0], strength=2.0)(np.ones((1, 2), np.float32)).tolist()
    [[1.0, 3.0]]
    """
    return AddDirection(_select(None, positions), _numbers("direction", direction), _number("strength", strength))


def keep(units: Units, *, positions: Positions = None, to: ArrayLike = 0.0) -> Edit:
    """All taken out but these units, these positions, or these units at these positions.

    To drop positions instead, `ablate(None, positions=...)`.

    Args:
        units: As of `ablate`.
        positions: As of `ablate`.
        to: What all else becomes.

    >>> keep(None, positions=(0,))(np.ones((1, 2, 2), np.float32)).tolist()
    [[[1.0, 1.0], [0.0, 0.0]]]
    """
    chosen = _select(units, positions)
    return Clamp(Selection(chosen.units, chosen.positions, outside=True), np.asarray(_number("to", to)))


def patch_in(values: ArrayLike, *, units: Units = None, positions: Positions = None) -> Edit:
    """Another image's activations put in: of all the layer, of units, of positions.

    Args:
        values: The activations, (*positions, units), such as `fv.observe(model, photo, layer)`.
        units: As of `ablate`.
        positions: As of `ablate`.

    >>> patch_in([[7.0, 8.0]], units=0)(np.ones((1, 1, 2), np.float32)).tolist()
    [[[7.0, 1.0]]]
    """
    return PatchIn(_select(units, positions), _numbers("values", values))


def resample(samples: ArrayLike, units: Units, *, positions: Positions = None, seed: int = 0) -> Edit:
    """Each unit replaced by what it is on an image drawn for it, so that it says nothing of its own image.

    Args:
        samples: Activations of other images, (m, *positions, units).
        units: As of `ablate`.
        positions: As of `ablate`.
        seed: Draws the image of each unit.

    >>> resample([[[1.0, 2.0]], [[1.0, 2.0]]], 1)(np.zeros((1, 1, 2), np.float32)).tolist()
    [[[0.0, 2.0]]]
    """
    array = _numbers("samples", samples)
    if array.ndim < 2 or not len(array):
        raise FeatvizError(f"`samples` has shape {array.shape}; expected (images, *positions, units)")
    drawn = np.random.default_rng(seed).integers(0, len(array), size=(array.shape[-1],))
    values = np.stack([array[int(image), ..., unit] for unit, image in enumerate(drawn)], axis=-1)
    return PatchIn(_select(units, positions), values)


def head_units(layer: Layer, index: int, *, heads: int) -> range:
    """The units of one attention head, in a layer that holds the outputs of all heads one after the other.

    Args:
        layer: The layer, named `heads` in networks that featviz traces.
        index: The head, from 0.
        heads: How many there are.

    >>> head_units(Layer("heads", (197, 192)), 1, heads=3)
    range(64, 128)
    """
    count = int(as_int("heads", heads))
    if count < 1 or layer.units % count:
        raise FeatvizError(f"`heads` is {count}; expected a divisor of {layer.units}, the units of {layer.name}")
    if not 0 <= as_int("index", index) < count:
        raise FeatvizError(f"`index` is {index} of {count} heads; expected 0 to {count - 1}")
    size = layer.units // count
    return range(index * size, (index + 1) * size)


def _numbers(name: str, given: ArrayLike) -> np.ndarray:
    """What is given as an array, or a FeatvizError for what is not finite numbers."""
    try:
        with np.errstate(over="ignore"):  # what is too large is infinite, and refused below
            array = np.asarray(given, np.float32)
    except (TypeError, ValueError):
        array = np.array(np.nan, np.float32)
    if not np.isfinite(array).all():
        raise FeatvizError(f"`{name}` is {shorten(repr(given), 60)}; expected finite numbers")
    return array


def _number(name: str, given: ArrayLike) -> np.float32:
    array = _numbers(name, given)
    if array.ndim:
        raise FeatvizError(f"`{name}` has shape {array.shape}; expected one number")
    return np.float32(array)


def _select(units: Units, positions: Positions) -> Selection:
    chosen: np.ndarray | None = None
    if units is not None:
        several = units if is_sequence(units) else [units]
        chosen = np.array([as_int("units", unit) for unit in several], np.int32)
    places: np.ndarray | None = None
    if positions is not None:
        listed = list(positions) if is_sequence(positions) else [positions]
        rows = [list(row) if is_sequence(row) else [row] for row in listed]
        rows = rows if listed and is_sequence(listed[0]) else [listed]
        lengths = {len(row) for row in rows}
        if len(lengths) != 1 or 0 in lengths:
            raise FeatvizError(f"`positions` is {positions!r}; expected (row, column), (token,), or a list of them")
        places = np.array([[as_int("positions", number) for number in row] for row in rows], np.int32)
    return Selection(chosen, places)
