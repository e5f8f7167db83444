"""What shapes a network's layers have for images of some size; nothing is computed, and a network is traced once."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from featviz.model import Model


def shapes_at(model: Model, layers: tuple[str, ...], size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """The shapes of layers for images of `size`, without the batch.

    >>> from featviz.zoo.registry import outline
    >>> shapes_at(outline("patterns"), ("conv1", "logits"), (64, 80))
    {'conv1': (32, 40, 20), 'logits': (58,)}
    """
    return shapes_for(model, layers, (1, *size, model.input.channels))


def shapes_for(model: Model, layers: tuple[str, ...], images: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of layers for images of shape (n, h, w, c), without the batch; the image itself may be among them."""
    leaves, structure = jax.tree.flatten(jax.eval_shape(lambda weights: weights, model.weights))
    found = _traced(model.apply, tuple(leaves), structure, layers, images)
    return {layer: found[layer] for layer in layers}


@lru_cache(maxsize=64)
def _traced(
    apply: Any, abstract: Any, structure: Any, layers: tuple[str, ...], images: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    made = jax.eval_shape(
        lambda weights, images: apply(weights, images, layers=layers),
        jax.tree.unflatten(structure, abstract),
        jax.ShapeDtypeStruct(images, jnp.float32),
    )
    return {name: tuple(value.shape[1:]) for name, value in made.items()}
