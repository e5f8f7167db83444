"""A batch of images reduced to the largest activation of every unit, by one compiled program."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.model import Apply, Model, Weights
from featviz.model.shapes import shapes_at
from featviz.surveys.receptive_fields import Grid, grid_of, largest_activations

# Images a call of the compiled program: enough to occupy two cores, few enough for a laptop's memory.
BATCH = 16

# Layer -> the largest activations, and their positions.
Maxima = dict[str, tuple[Float[Array, "n units"], Int[Array, "n units"]]]


def maxima_of(
    model: Model, images: UInt8[np.ndarray, "n h w c"], layers: tuple[str, ...], *, weights: Weights = None
) -> Maxima:
    """Every unit's largest activation over interior positions, and its position.

    One program is compiled for each number of images. The result is not awaited.

    Args:
      model: the network.
      images: of one size.
      layers: their names.
      weights: by default the model's.
    """
    weights = model.weights if weights is None else weights
    return compiled(_reduction(model.apply, layers), weights, images)(weights, images)


@kept_with_owner(maxsize=16)
def _reduction(apply: Apply, layers: tuple[str, ...]) -> Callable[..., Maxima]:
    def reduce(weights: Weights, images: jax.Array) -> Maxima:
        activations = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=layers)
        size = (images.shape[1], images.shape[2])
        return {layer: largest_activations(activations[layer], size) for layer in layers}

    return jax.jit(reduce)


def grid_at(model: Model, layer: str, size: tuple[int, int]) -> Grid:
    """The positions of a layer for images of `size` (height, width)."""
    return grid_of(shapes_at(model, (layer,), size)[layer], size)


def batches(images: Iterable[np.ndarray], *, count: int = BATCH) -> Iterator[tuple[int, np.ndarray]]:
    """Images in batches of `count`, the last one padded with its last image: (how many are not padding, images).

    >>> [(valid, len(batch)) for valid, batch in batches(np.zeros((5, 8, 8, 3)), count=2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    remaining = iter(images)
    while batch := list(islice(remaining, count)):
        yield len(batch), np.stack([*batch, *[batch[-1]] * (count - len(batch))])
