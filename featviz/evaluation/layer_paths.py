"""The layers below a unit's, and what they do where the unit looks."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.model import Model, Weights
from featviz.surveys.receptive_fields import Box, box_around, by_position, grid_of
from featviz.surveys.reduction import BATCH, batches, grid_at

# Positions a side, around its own, whose units are a unit's company.
NEAR = 3
# Layers of a path that are looked at, spread over its length.
MOST = 6


def layers_below(model: Model, layer: str) -> tuple[str, ...]:
    """The layers that a layer is computed from, in forward order; at most `MOST`, blocks if two or more.

    >>> import featviz as fv
    >>> layers_below(fv.load("patterns"), "mixed3b")
    ('conv1', 'conv2', 'mixed3a')
    """
    parents = {each.name: each.parents for each in model.layers}
    found, waiting = set(), [layer]
    while waiting:
        for name in parents.get(waiting.pop(), ()):
            if name in parents and name not in found:
                found.add(name)
                waiting.append(name)
    below = [each.name for each in model.layers if each.name in found and len(each.shape) in (2, 3)]
    blocks = [name for name in below if "/" not in name]
    chosen = blocks if len(blocks) >= 2 else below
    if len(chosen) > MOST:
        chosen = [chosen[round(at)] for at in np.linspace(0, len(chosen) - 1, MOST)]
    return tuple(chosen)


def path_boxes(
    model: Model, layer: str, places: Sequence[int], side: int, size: tuple[int, int]
) -> dict[str, list[Box]]:
    """Where to look for the path of a unit at some places of its layer: boxes of images of `size`, one a place.

    In the layers below all of the receptive field, `side` px; in the unit's own layer the `NEAR` x `NEAR` positions.
    """
    grid = grid_at(model, layer, size)
    field = [box_around(at, grid, side, size) for at in places]
    near = NEAR * max(-(-size[0] // grid.rows), -(-size[1] // grid.columns))
    return {
        **dict.fromkeys(layers_below(model, layer), field),
        layer: [box_around(at, grid, near, size) for at in places],
    }


def pooled_in(model: Model, boxes: Mapping[str, Sequence[Box]], images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Each layer's activations averaged over the positions whose centers lie in an image's box: (images, units).

    `boxes` gives each layer's, one an image, (left, top, right, bottom) in pixels; images are uint8 of one size.
    """
    layers = tuple(boxes)
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    height, width = images[0].shape[:2]
    scale = np.array((width, height, width, height), np.float32)
    shares = np.stack([np.asarray(boxes[layer], np.float32) / scale for layer in layers], 1)
    first = 0
    for count, some in batches(images, count=min(BATCH, len(images))):
        part = shares[first : first + count]
        part = np.concatenate([part, np.repeat(part[-1:], len(some) - count, 0)])
        made = compiled(_pooling(model.apply, layers), model.weights, some, part)(model.weights, some, part)
        for layer in layers:
            found[layer].append(np.asarray(made[layer])[:count])
        first += count
    return {layer: np.concatenate(parts) for layer, parts in found.items()}


@lru_cache(maxsize=16)
def _pooling(apply: Any, layers: tuple[str, ...]) -> Any:
    def pool(weights: Weights, images: jax.Array, boxes: jax.Array) -> dict[str, jax.Array]:
        activations = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=layers)
        return {layer: _within(activations[layer], boxes[:, number]) for number, layer in enumerate(layers)}

    return jax.jit(pool)


def _within(activation: jax.Array, boxes: jax.Array) -> jax.Array:
    grid = grid_of(activation.shape[1:])
    maps = by_position(activation).reshape(activation.shape[0], grid.rows, grid.columns, activation.shape[-1])
    rows = _weights(boxes[:, 1], boxes[:, 3], grid.rows)
    columns = _weights(boxes[:, 0], boxes[:, 2], grid.columns)
    return jnp.einsum("nhwc,nh,nw->nc", maps, rows, columns)


def _weights(start: jax.Array, end: jax.Array, count: int) -> jax.Array:
    """Equal weights of the positions between two shares of an axis, at least of the one in the middle; (n, count)."""
    centers = (jnp.arange(count, dtype=jnp.float32)[None] + 0.5) / count
    inside = (centers >= start[:, None]) & (centers <= end[:, None])
    middle = ((start + end)[:, None] / 2 * count).astype(jnp.int32) == jnp.arange(count)[None]
    chosen = jnp.where(inside.any(1, keepdims=True), inside, middle).astype(jnp.float32)
    return chosen / chosen.sum(1, keepdims=True)
