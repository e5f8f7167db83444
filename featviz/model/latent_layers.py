"""The layers of latents that a network has, and its weights with and without their dictionaries."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax

from featviz.model.edits import EditedWeights
from featviz.model.latent_layer import Basis, LatentApply, LatentWeights

if TYPE_CHECKING:
    from featviz.model.model import Apply, Model, Weights


def latent_layers(apply: "Apply", weights: "Weights") -> Iterator[tuple[LatentApply, Basis]]:
    """Each layer of latents of a network's function with its dictionary, from the last added to the first."""
    while isinstance(apply, LatentApply):
        plain = weights.network if isinstance(weights, EditedWeights) else weights
        assert isinstance(plain, LatentWeights)
        yield apply, plain.dictionary
        apply, weights = apply.base, plain.network


def find_dictionary(apply: "Apply", weights: "Weights", layer: str) -> Basis | None:
    """The dictionary whose latents a layer of a network's function has; None for any other layer."""
    found = (dictionary for latents, dictionary in latent_layers(apply, weights) if latents.name == layer)
    return next(found, None)


def dictionary_of(model: "Model", layer: str) -> Basis | None:
    """The same, of a model."""
    return find_dictionary(model.apply, model.weights, layer)


def encoded_layer(model: "Model", layer: str) -> str:
    """The layer whose activations decide a layer: for latents the one that their dictionary encodes, else itself.

    >>> import featviz as fv
    >>> encoded_layer(fv.load("patterns"), "mixed4a")
    'mixed4a'
    """
    latents = latent_layers(model.apply, model.weights)
    return next((apply.layer for apply, _ in latents if apply.name == layer), layer)


def apply_without_latents(apply: "Apply") -> "Apply":
    """The function of the network alone, below its layers of latents."""
    while isinstance(apply, LatentApply):
        apply = apply.base
    return apply


def extend_weights(model: "Model", weights: "Weights") -> "Weights":
    """Another checkpoint of a network as the weights of the model: with its dictionaries, where it has some.

    Args:
        model: The network, with or without layers of latents.
        weights: As the model's, or as those of the network alone.
    """
    return _extend(model.weights, weights)


def network_alone(model: "Model") -> "Model":
    """The model with the weights of its network alone, as checkpoints have them; only its weights are of use."""
    weights = model.weights
    while isinstance(weights, LatentWeights | EditedWeights):
        weights = weights.network
    return replace(model, weights=weights)


def _extend(known: "Weights", given: "Weights") -> "Weights":
    same: Any = jax.tree.structure(known)
    if jax.tree.structure(given) == same:
        return given
    if isinstance(known, EditedWeights):
        return EditedWeights(_extend(known.network, given), known.edits)
    if not isinstance(known, LatentWeights):
        return given
    return LatentWeights(_extend(known.network, given), known.dictionary)
