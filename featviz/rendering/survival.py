"""Whether a dictionary's latent is still there behind TopK or a threshold in a picture that maximizes it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.model import Apply, Model, Weights
from featviz.objectives import Objective


def latent_layers(model: Model, objective: Objective) -> tuple[str, ...]:
    """The layers of latents that the units of an objective lie in, where the latents can be absent."""
    named = [layer for term in objective.terms if term.target is not None for layer in term.layers]
    sparse = {layer.name for layer in model.layers if layer.latents and layer.rectified}
    return tuple(dict.fromkeys(layer for layer in named if layer in sparse))


def survival(
    model: Model, weights: Weights, objective: Objective, pixels: Float[np.ndarray, "h w c"]
) -> dict[str, dict[str, float]]:
    """How much is left of the latents of an objective in a picture, as its record keeps it.

    Args:
      model: the network with its dictionaries.
      weights: as `Model.weights`.
      objective: as the caller wrote it: of the latents, not of their pre-activations.
      pixels: the picture, which is clipped to [0,1].

    Returns:
      By label of each latent, `survives`, the share of the positions that the objective is a mean of at which the
      latent is not 0, and `value`, the latent's own value; {} for an objective without latents.
    """
    layers = latent_layers(model, objective)
    if not layers:
        return {}
    images = jnp.asarray(np.clip(pixels, 0, 1)[None])
    activations = compiled(_latents(model.apply, layers), weights, images)(weights, images)
    present = {layer: (values != 0).astype(jnp.float32) for layer, values in activations.items()}
    terms = [term for term in objective.terms if term.target is not None and set(term.layers) <= set(layers)]
    return {
        term.label: {"survives": float(term.value(present)[0]), "value": float(term.value(activations)[0])}
        for term in terms
    }


@kept_with_owner(maxsize=8)
def _latents(apply: Apply, layers: tuple[str, ...]) -> Callable[..., Any]:
    @jax.jit
    def latents(weights: Weights, images: jax.Array) -> dict[str, jax.Array]:
        activations = apply(weights, images, layers=layers)
        return {layer: activations[layer] for layer in layers}

    return latents
