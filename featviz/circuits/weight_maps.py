"""Expanded weights as maps: what each unit of a layer weighs at each place of the units of a layer below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.circuits.gathered_maps import of_one_kind
from featviz.circuits.linearization import linearize
from featviz.circuits.linearization_point import aligned_center, linearization_image, receptive_field_radius
from featviz.circuits.path_rules import DIRECT, EVERY, Paths
from featviz.common.arguments import as_int, is_sequence
from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights, before_relu
from featviz.surveys.receptive_fields import grid_of

# Units whose gradients are computed side by side.
CHUNK = 64

Maps = Float[np.ndarray, "units rows columns source_units"]


@dataclass(frozen=True)
class WeightMaps:
    """The weights between two layers.

    Attributes:
      source, target: names of the layers.
      units: those of `target`, one a map.
      maps: weight of each unit of `source` at each place around the middle one. Among tokens, places are those of the
        patches; where only other tokens count, such as the class token, there is one row of these.
    """

    source: str
    target: str
    units: tuple[int, ...]
    maps: Maps

    @property
    def strengths(self) -> Float[np.ndarray, "units source_units"]:
        """The norm of each map, with the sign of its sum."""
        return signed_norms(self.maps)


class WeightChunk(NamedTuple):
    """Some units' weights at all places: `maps`, and `others`, those of tokens without a place."""

    maps: Maps
    others: Float[np.ndarray, "units tokens source_units"]

    def strengths(self) -> Float[np.ndarray, "units source_units"]:
        """The norms over all places and tokens, with the signs of the sums."""
        flat = self.maps.reshape(len(self.maps), -1, self.maps.shape[-1])
        return signed_norms(np.concatenate([flat, self.others], axis=1)[:, None])

    @property
    def tokens(self) -> Maps:
        """The weights of tokens without a place, as one row."""
        return self.others[:, None]


def weights_between(
    model: Model, source: str, target: str, *, units: Sequence[int] | None = None, direct: bool = False
) -> WeightMaps:
    """Expanded weights: how much each unit of a layer weighs each unit of a layer below, place by place.

    W[o, y, x, i] = d B[middle, o] / d A[y, x, i], with every ReLU between the layers open, max pooling as average
    pooling and the scale of normalizations held. For one convolution it is the kernel, for several their product.
    Positive and negative paths may cancel; look at the layers between as well.

    Args:
      model: the network, from any framework.
      source: the layer below, A.
      target: a layer that is computed from it, B; weights are those of its pre-activation.
      units: units of `target`; by default all.
      direct: whether only paths count that no activation function and no attention interrupts, through the residual
        stream of a transformer; normalizations are their centering and gain. From neurons to neurons these are W_out
        W_in.

    Returns:
      The maps, cropped to the places at which one of them is not zero.

    Raises:
      FeatvizError: for an unknown layer or unit, or layers of which one is not computed from the other.

    References:
      Voss et al. 2021, Visualizing Weights, doi 10.23915/distill.00024.007; Elhage et al. 2021.

    >>> import featviz as fv
    >>> found = weights_between(fv.load("patterns"), "conv2", "mixed3a/5x5", units=[3])
    >>> found.maps.shape, found.strengths.shape
    ((1, 5, 5, 32), (1, 32))
    """
    chosen = checked_units(model, target, units)
    check_order(model, source, target)
    paths = DIRECT if direct else EVERY
    image = linearization_image(model, source, target)
    parts = [part for (part,) in weight_chunks(model, (source,), target, image=image, units=chosen, paths=paths)]
    where = window(model, source, target, parts[0].maps.shape[1:3])
    maps = of_one_kind([part.maps[:, *where] for part in parts], [part.tokens for part in parts])
    return WeightMaps(source, target, tuple(chosen.tolist()), trimmed(np.concatenate(maps)))


def weight_chunks(
    model: Model,
    sources: tuple[str, ...],
    target: str,
    *,
    image: Float[np.ndarray, "1 h w c"],
    units: Int[np.ndarray, " chosen"],
    paths: Paths = EVERY,
) -> Iterator[tuple[WeightChunk, ...]]:
    """The weights of 64 units after another from each of several layers, the others held."""
    above = model.layer(target)
    # Behind a TopK or a threshold a latent that is absent has no gradient.
    computed = before_relu(target) if above.latents and above.rectified else target
    program = None
    for first in range(0, len(units), CHUNK):
        chunk = units[first : first + CHUNK]
        # One unit and a whole chunk: two programs serve every number of units.
        padded = chunk if len(chunk) == 1 else np.resize(chunk, CHUNK)
        if program is None or len(chunk) == 1:
            program = compiled(_gradients(model.apply, sources, computed, paths), model.weights, image, padded)
        found = program(model.weights, image, padded)
        size = (image.shape[1], image.shape[2])
        yield tuple(_chunk(np.asarray(each)[: len(chunk)], size) for each in found)


def window(model: Model, source: str, target: str, shape: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns of a map of that shape in which the middle position's receptive field lies."""
    below, above = model.layer(source).shape, model.layer(target).shape
    if len(below) != 3 or len(above) != 3:
        return slice(0, shape[0]), slice(0, shape[1])
    # Padding moves it a little.
    radius = receptive_field_radius(model, source, target) + 1
    factors = [max(1, round(below[axis] / above[axis])) for axis in (0, 1)]
    centers = [aligned_center(shape[axis], max(1, shape[axis] // factors[axis])) for axis in (0, 1)]
    rows, columns = (
        slice(max(0, int(np.floor(center - radius))), int(np.ceil(center + radius)) + 1) for center in centers
    )
    return rows, columns


def trimmed(maps: Maps) -> Maps:
    """The maps without the outer rows and columns that are zero in all of them; at least one place."""
    used = (maps != 0).any((0, 3))
    if not used.any():
        return maps[:, :1, :1]
    rows, columns = (np.flatnonzero(used.any(axis)) for axis in (1, 0))
    return np.ascontiguousarray(maps[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def signed_norms(maps: Maps) -> Float[np.ndarray, "units source_units"]:
    """The norm of each map, negative where its sum is; a map whose sum is 0 is as strong as any other, and positive.

    >>> signed_norms(np.array([[[[3.0], [-4.0]]]])).tolist()
    [[-5.0]]
    """
    norms = np.sqrt(np.square(maps, dtype=np.float32).sum((1, 2)))
    return np.where(maps.sum((1, 2)) < 0, -norms, norms)


def checked_units(model: Model, layer: str, units: Sequence[int] | None) -> Int[np.ndarray, " chosen"]:
    """The chosen units of a layer, all by default.

    Raises:
      FeatvizError: for a unit that the layer lacks, or none at all.
    """
    count = model.layer(layer).units
    if units is None:
        return np.arange(count, dtype=np.int32)
    if not is_sequence(units):
        raise FeatvizError(f"`units` is {units!r}; expected a list of units, such as [3]")
    listed = [as_int("units", unit) for unit in units]
    wrong = [unit for unit in listed if not 0 <= unit < count]
    if wrong:
        raise FeatvizError(f"`units` has {wrong[0]}; {layer} has {count} units, 0 to {count - 1}")
    if not listed:
        raise FeatvizError("`units` is empty; expected at least one unit")
    return np.asarray(listed, np.int32)


def check_order(model: Model, source: str, target: str) -> None:
    """Raises FeatvizError unless `target` is computed from `source`."""
    names = [model.layer(name).name for name in (source, target)]
    if names[0] not in ancestors(model, names[1]):
        raise FeatvizError(f"`target` {target} is not computed from `source` {source}; expected a later layer")


def ancestors(model: Model, layer: str, *, stops: set[str] | None = None) -> set[str]:
    """The layers that a layer is computed from; the search does not go past the layers in `stops`."""
    parents = {layer.name: layer.parents for layer in model.layers}
    found: set[str] = set()
    waiting = list(parents[layer])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(() if stops and name in stops else parents[name])
    return found


def _chunk(gradient: Float[np.ndarray, "units 1 *positions source_units"], size: tuple[int, int]) -> WeightChunk:
    """A gradient by place, for an image of (height, width)."""
    shape = gradient.shape[2:]
    flat = gradient.reshape(len(gradient), -1, shape[-1])
    grid = grid_of(shape, size)
    if len(shape) > 3:
        return WeightChunk(flat[:, None], flat[:, :0])
    located = flat[:, grid.skipped :].reshape(len(gradient), grid.rows, grid.columns, shape[-1])
    return WeightChunk(located, flat[:, : grid.skipped])


@kept_with_owner(maxsize=64)
def _gradients(apply: Apply, sources: tuple[str, ...], target: str, paths: Paths) -> jax.stages.Wrapped:
    def gradients(
        weights: Weights, image: Float[Array, "1 h w c"], units: Int[Array, " chunk"]
    ) -> list[Float[Array, "chunk 1 *positions source_units"]]:
        values, pullback = linearize(apply, weights, image, sources, target, paths=paths)

        def gradient(unit: Int[Array, ""]) -> list[Float[Array, "1 *positions source_units"]]:
            found = pullback(jnp.arange(values.shape[0], dtype=units.dtype) == unit)
            return [each.astype(jnp.float32) for each in found]

        return jax.vmap(gradient)(units)

    return jax.jit(gradients)
