"""The layers that a unit's layer is computed from, and their activations where the unit looks."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.evaluation.corruptions import Pixels
from featviz.model import Apply, Model, Weights
from featviz.model.layer_patterns import layers_below
from featviz.surveys.receptive_fields import Box, box_around, by_position, grid_of
from featviz.surveys.reduction import BATCH, batches, grid_at

# Coactivation is that of the units at this many positions a side around the unit's own.
NEIGHBORHOOD = 3


def path_boxes(
    model: Model, layer: str, positions: Sequence[int], receptive_field: int, size: tuple[int, int]
) -> dict[str, list[Box]]:
    """The boxes in which a unit's path is observed: layer name -> a box for each position.

    In the layers below that is the receptive field, in the unit's own layer `NEIGHBORHOOD` x `NEIGHBORHOOD` positions.

    Args:
      model: the network.
      layer: the unit's.
      positions: of the unit in its layer, row * columns + column.
      receptive_field: its side in pixels.
      size: (height, width) of the images.
    """
    grid = grid_at(model, layer, size)
    fields = [box_around(position, grid, receptive_field, size) for position in positions]
    side = NEIGHBORHOOD * max(-(-size[0] // grid.rows), -(-size[1] // grid.columns))
    return {
        **dict.fromkeys(layers_below(model, layer), fields),
        layer: [box_around(position, grid, side, size) for position in positions],
    }


def pooled_in(
    model: Model, boxes: Mapping[str, Sequence[Box]], images: Sequence[Pixels]
) -> dict[str, Float[np.ndarray, "images units"]]:
    """Each layer's activations averaged over the positions whose centers lie in an image's box.

    Args:
      model: the network.
      boxes: layer name -> a box for each image, (left, top, right, bottom) in pixels.
      images: uint8 (h, w, c) of one size.
    """
    layers = tuple(boxes)
    parts: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    height, width = images[0].shape[:2]
    scale = np.array((width, height, width, height), np.float32)
    shares = np.stack([np.asarray(boxes[layer], np.float32) / scale for layer in layers], 1)
    first = 0
    for count, batch in batches(images, count=min(BATCH, len(images))):
        of_batch = shares[first : first + count]
        of_batch = np.concatenate([of_batch, np.repeat(of_batch[-1:], len(batch) - count, 0)])
        program = compiled(_pooling(model.apply, layers), model.weights, batch, of_batch)
        pooled = program(model.weights, batch, of_batch)
        for layer in layers:
            parts[layer].append(np.asarray(pooled[layer])[:count])
        first += count
    return {layer: np.concatenate(arrays) for layer, arrays in parts.items()}


@kept_with_owner(maxsize=16)
def _pooling(apply: Apply, layers: tuple[str, ...]) -> Callable[..., dict[str, jax.Array]]:
    def pool(weights: Weights, images: jax.Array, boxes: jax.Array) -> dict[str, jax.Array]:
        activations = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=layers)
        size = (images.shape[1], images.shape[2])
        return {layer: _mean_within(activations[layer], boxes[:, index], size) for index, layer in enumerate(layers)}

    return jax.jit(pool)


def _mean_within(
    activation: Float[Array, "n *positions units"], boxes: Float[Array, "n 4"], size: tuple[int, int]
) -> Float[Array, "n units"]:
    """The mean over the positions within a box in shares of the image, (left, top, right, bottom)."""
    grid = grid_of(activation.shape[1:], size)
    maps = by_position(activation, size).reshape(len(activation), grid.rows, grid.columns, activation.shape[-1])
    rows = _position_weights(boxes[:, 1], boxes[:, 3], grid.rows)
    columns = _position_weights(boxes[:, 0], boxes[:, 2], grid.columns)
    return jnp.einsum("nhwc,nh,nw->nc", maps, rows, columns)


def _position_weights(start: Float[Array, " n"], end: Float[Array, " n"], count: int) -> Float[Array, "n count"]:
    """Equal weights for the positions between two shares of an axis, or for the middle one if there is none between."""
    centers = (jnp.arange(count, dtype=jnp.float32)[None] + 0.5) / count
    inside = (centers >= start[:, None]) & (centers <= end[:, None])
    middle = ((start + end)[:, None] / 2 * count).astype(jnp.int32) == jnp.arange(count)[None]
    chosen = jnp.where(inside.any(1, keepdims=True), inside, middle).astype(jnp.float32)
    return chosen / chosen.sum(1, keepdims=True)
