"""What is computed of a batch of images: each layer's largest activations."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.model import Model, Weights
from featviz.model.shapes import shapes_at
from featviz.surveys.receptive_fields import Grid, grid_of, largest

# Images a call of the compiled program: enough for both cores of a laptop, little enough for its memory.
BATCH = 16

Maxima = dict[str, tuple[jax.Array, jax.Array]]


def maxima_of(model: Model, images: np.ndarray, layers: tuple[str, ...], *, weights: Weights = None) -> Maxima:
    """Each layer's largest activations over interior positions and their places, of uint8 images (n, h, w, c).

    Computed where JAX computes, by one program for one number of images, and not waited for.
    """
    weights = model.weights if weights is None else weights
    return compiled(_reduction(model.apply, layers), weights, images)(weights, images)


@lru_cache(maxsize=16)
def _reduction(apply: Any, layers: tuple[str, ...]) -> Any:
    def reduce(weights: Weights, images: jax.Array) -> Maxima:
        activations = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=layers)
        return {layer: largest(activations[layer]) for layer in layers}

    return jax.jit(reduce)


def grid_at(model: Model, layer: str, size: tuple[int, int]) -> Grid:
    """The positions of a layer for images of `size`."""
    return grid_of(shapes_at(model, (layer,), size)[layer])


def batches(images: Iterable[np.ndarray], *, count: int = BATCH) -> Iterator[tuple[int, np.ndarray]]:
    """Images in batches of `count`, the last one filled up with its own last image: (how many, images)."""
    coming = iter(images)
    while some := list(islice(coming, count)):
        yield len(some), np.stack([*some, *[some[-1]] * (count - len(some))])
