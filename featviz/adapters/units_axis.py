"""The axis of a layer's units where the program does not settle it: what the user says, or what the network answers."""

import warnings
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import quick_options
from featviz.common.program_store import load_or_compile
from featviz.errors import FeatvizError, join_or, suggest
from featviz.model import InputSpec, Weights
from featviz.model.layer_patterns import match_layers
from featviz.tracing.arrangement import Units, unfolded
from featviz.tracing.names import NamedValue
from featviz.tracing.program import Program
from featviz.tracing.scans import compute

# Where a change exceeds this share of the largest one, a value has changed.
CHANGED = 0.1
# The side of the square that is changed, as a share of the image's.
SQUARE = 0.125


def read_axes(axes: Mapping[str, int], named: Mapping[str, NamedValue], what: str) -> dict[str, int]:
    """The axes that a user gives, by layer, counted from the first.

    Args:
        axes: By layer or pattern of layers, the axis of the units in the array that the network computes.
        named: The network's layers.
        what: The network's name.

    Raises:
        FeatvizError: If a layer is unknown, or has no such axis beside that of the images.
    """
    found: dict[str, int] = {}
    for pattern, axis in axes.items():
        layers = match_layers(list(named), [pattern])
        if not layers:
            raise FeatvizError(f"`axes` names `{pattern}`, which {what} lacks; {suggest(pattern, named)}")
        for layer in layers:
            shape, images = named[layer].value.aval.shape, named[layer].images
            count = len(shape)
            allowed = [each for each in range(count) if each != images.axis or len(images.parts) > 1]
            if not isinstance(axis, int) or not -count <= axis < count or axis % count not in allowed:
                raise FeatvizError(
                    f"`axes` has {axis!r} for `{layer}`, an array of {_format_shape(named[layer])}; expected "
                    f"{join_or(list(map(str, allowed)))}, the axis of its units"
                )
            found[layer] = axis % count
    # A module and the last one within it may name one array.
    locations = {named[layer].location: axis for layer, axis in found.items()}
    return {layer: locations[each.location] for layer, each in named.items() if each.location in locations}


def given_units(layer: NamedValue, axis: int) -> Units:
    """The units of a layer of which the axis is known."""
    return Units(layer.images.unfolded_axis(axis), True)


def found_axes(named: Mapping[str, NamedValue], units: Mapping[str, Units]) -> dict[str, int]:
    """The axes of the units by layer, so that they are the same at every size."""
    folded = {
        name: None if each.axis is None else named[name].images.folded_axis(each.axis) for name, each in units.items()
    }
    return {name: axis for name, axis in folded.items() if axis is not None}


def ask_network(
    program: Program, layers: Mapping[str, NamedValue], weights: Weights, spec: InputSpec
) -> dict[str, Units]:
    """The units' axes of layers that answer when one place of the image changes.

    Along an axis of positions such a change stays local, along that of the units it does not. A layer answers where
    that is so of one axis alone. The network runs twice.

    Args:
        program: The traced network.
        layers: The layers that the program does not settle.
        weights: Its weights.
        spec: How it takes its images.
    """
    if any(isinstance(leaf, jax.ShapeDtypeStruct | jax.core.Tracer) for leaf in jax.tree.leaves(weights)):
        return {}
    images = np.random.default_rng(0).random(
        (program.inputs[-1].aval.shape[0], *spec.size, spec.channels), dtype=np.float32
    )
    changed = images.copy()
    top, left = (side // 4 for side in spec.size)
    height, width = (max(1, round(side * SQUARE)) for side in spec.size)
    place = (slice(None), slice(top, top + height), slice(left, left + width))
    changed[place] = (images[place] + 0.5) % 1

    def run(weights: Weights, images: jax.Array) -> list[jax.Array]:
        args = jax.tree.leaves((weights, spec.encode(images)))
        values = compute(program, args, [layer.location for layer in layers.values()])
        # The images' axis first, the others in their order.
        return [
            jnp.moveaxis(unfolded(value, layer.images), layer.images.unfolded, 0).astype(jnp.float32)
            for value, layer in zip(values, layers.values(), strict=True)
        ]

    # It runs twice: its compilation is most of the time, and optimizing it would be longer.
    compiled = load_or_compile(jax.jit(run).lower(weights, images), quick_options())
    answers: dict[str, Units] = {}
    for (name, layer), before, after in zip(
        layers.items(), compiled(weights, images), compiled(weights, changed), strict=True
    ):
        axis = _spread_axis(np.abs(np.asarray(after) - np.asarray(before)))
        if axis is not None:
            answers[name] = Units(axis - 1 if axis <= layer.images.unfolded else axis, True)
    return answers


def warn_of_guesses(
    names: Sequence[str], named: Mapping[str, NamedValue], units: Mapping[str, Units], what: str
) -> None:
    """Says which layers' units lie on an axis that is a guess, and how to say which it is."""
    # A module and the last one within it may name one array.
    names = list({named[name].location: name for name in reversed(names)}.values())[::-1]
    if names:
        first = names[0]
        axis = units[first].axis
        folded = None if axis is None else named[first].images.folded_axis(axis)
        others = len(names) - 1
        more = f" (and in {others} other layer{'s' * (others > 1)})" if others else ""
        guess = "" if folded is None else f": {folded} is taken"
        warnings.warn(
            f"in {what}, it is not certain which axis of `{first}`, an array of {_format_shape(named[first])}, holds "
            f'the units{more}{guess}; `axes={{"{first}": AXIS}}` says it',
            stacklevel=4,
        )


def _spread_axis(change: np.ndarray) -> int | None:
    """The one axis behind the first along which a change does not stay local."""
    change = np.nan_to_num(change).max(axis=0)
    shares = []
    for axis in range(change.ndim):
        largest = change.max(axis=tuple(other for other in range(change.ndim) if other != axis))
        shares.append(np.mean(largest > CHANGED * largest.max()) if largest.max() > 0 else 0.0)
    spread = [axis for axis, share in enumerate(shares) if share > 0.5 and change.shape[axis] > 1]
    return spread[0] + 1 if len(spread) == 1 else None


def _format_shape(layer: NamedValue) -> str:
    shape = list(map(str, layer.value.aval.shape))
    if len(layer.images.parts) == 1:
        shape[layer.images.axis] = "n"
    return f"({', '.join(shape)})"
