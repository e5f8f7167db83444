"""The shapes of a network's layers for images of a given size; nothing is computed, and a network is traced once."""

import jax
import jax.numpy as jnp

from featviz.common.kept import kept_with_owner
from featviz.common.shortcuts import find_shortcut, keep, recall
from featviz.model.model import Apply, Model, Weights


def shapes_at(model: Model, layers: tuple[str, ...], size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """The shapes of layers for images of one size.

    Args:
        model: The network.
        layers: Names of layers.
        size: Height and width in pixels.

    Returns:
        By layer, the shape without the batch.

    Raises:
        FeatvizError: If the network lacks a layer, or cannot run on images of this size.

    >>> from featviz.zoo.registry import outline
    >>> shapes_at(outline("patterns"), ("conv1", "logits"), (64, 80))
    {'conv1': (32, 40, 20), 'logits': (58,)}
    """
    return shapes_for(model, layers, (1, *size, model.input.channels))


def shapes_for(model: Model, layers: tuple[str, ...], images: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The same for a batch of images of shape (n, h, w, c); `IMAGE` may be among `layers`."""
    leaves, structure = jax.tree.flatten(jax.eval_shape(lambda weights: weights, model.weights))
    shapes = _traced_shapes(model.apply, tuple(leaves), structure, layers, images)
    return {layer: shapes[layer] for layer in layers}


@kept_with_owner(maxsize=64)
def _traced_shapes(
    apply: Apply,
    leaves: tuple[jax.ShapeDtypeStruct, ...],
    structure: jax.tree_util.PyTreeDef,
    layers: tuple[str, ...],
    images: tuple[int, ...],
) -> dict[str, tuple[int, ...]]:
    shortcut = find_shortcut("shapes", (apply, leaves, structure, layers, images))
    known: dict[str, tuple[int, ...]] | None = recall(shortcut)
    if known is not None:
        return known
    weights: Weights = jax.tree.unflatten(structure, leaves)
    activations = jax.eval_shape(
        lambda weights, images: apply(weights, images, layers=layers),
        weights,
        jax.ShapeDtypeStruct(images, jnp.float32),
    )
    shapes = {name: tuple(value.shape[1:]) for name, value in activations.items()}
    keep(shortcut, shapes)
    return shapes
