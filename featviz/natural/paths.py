"""The layers below a unit's, and what they do where the unit looks."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.compilation import compiled
from featviz.model import Model, Weights
from featviz.natural.positions import grid_of
from featviz.natural.reduction import BATCH, batches

Box = tuple[int, int, int, int]
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


def pooled_below(
    model: Model, layers: tuple[str, ...], images: Sequence[np.ndarray], boxes: Sequence[Box]
) -> dict[str, np.ndarray]:
    """Each layer's activations averaged over the positions whose centres lie in an image's box: (images, units)."""
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    height, width = images[0].shape[:2]
    shares = np.array([np.divide(box, (width, height, width, height)) for box in boxes], np.float32)
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
        return {layer: _within(activations[layer], boxes) for layer in layers}

    return jax.jit(pool)


def _within(activation: jax.Array, boxes: jax.Array) -> jax.Array:
    grid = grid_of(activation.shape[1:])
    maps = activation[:, grid.skipped :] if activation.ndim == 3 else activation
    maps = maps.reshape(maps.shape[0], grid.rows, grid.columns, maps.shape[-1])
    rows = _weights(boxes[:, 1], boxes[:, 3], grid.rows)
    columns = _weights(boxes[:, 0], boxes[:, 2], grid.columns)
    return jnp.einsum("nhwc,nh,nw->nc", maps, rows, columns)


def _weights(start: jax.Array, end: jax.Array, count: int) -> jax.Array:
    """Equal weights of the positions between two shares of an axis, at least of the one in the middle; (n, count)."""
    centres = (jnp.arange(count, dtype=jnp.float32)[None] + 0.5) / count
    inside = (centres >= start[:, None]) & (centres <= end[:, None])
    middle = ((start + end)[:, None] / 2 * count).astype(jnp.int32) == jnp.arange(count)[None]
    chosen = jnp.where(inside.any(1, keepdims=True), inside, middle).astype(jnp.float32)
    return chosen / chosen.sum(1, keepdims=True)
