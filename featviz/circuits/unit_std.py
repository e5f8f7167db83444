"""How much each unit varies over natural images: the weight of its connections."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights
from featviz.surveys.reduction import batches
from featviz.surveys.survey import Survey

# Photos of a survey from which the standard deviations are estimated, and how many run at once.
PHOTOS, BATCH = 64, 8


def unit_std(
    model: Model, layers: Sequence[str], *, images: Float[np.ndarray, "n h w c"] | None = None
) -> dict[str, Float[np.ndarray, " units"]]:
    """The standard deviation of each unit over positions and images.

    Without images all units count alike, with 1. Noise is no substitute for photos: on photos the standard deviations
    of GoogLeNet's units differ by a quarter (the standard deviation of their logarithms), while 1/f noise leaves every
    fifth unit of `inception_5a` silent and finds one or two of a unit's five strongest inputs. With 1, it is three.

    Args:
      model: the network.
      layers: names of layers.
      images: floats in [0,1], like those that the network was trained on.

    Returns:
      layer -> float32, one value per unit.

    Raises:
      FeatvizError: for an unknown layer, or images of another dtype or shape.

    >>> import featviz as fv
    >>> images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    >>> unit_std(fv.load("patterns"), ["conv1"], images=images)["conv1"].shape
    (20,)
    """
    names = tuple(dict.fromkeys(model.layer(name).name for name in layers))
    channels = model.input.channels
    if images is None:
        return {layer: np.ones(model.layer(layer).units, np.float32) for layer in names}
    if images.ndim != 4 or images.shape[-1] != channels or not len(images) or images.dtype.kind != "f":
        raise FeatvizError(
            f"`images` are {images.dtype} of shape {images.shape}; expected floats in [0,1], (n, h, w, {channels})"
        )
    moments: dict[str, list[np.ndarray]] = {layer: [] for layer in names}
    for count, batch in batches(images.astype(np.float32), count=min(BATCH, len(images))):
        of_batch = compiled(_moments(model.apply, names), model.weights, batch)(model.weights, batch)
        for layer in names:
            moments[layer].append(np.asarray(of_batch[layer], np.float64)[:, :count])
    return {layer: _total_std(np.concatenate(parts, axis=1)) for layer, parts in moments.items()}


def surveyed_unit_std(survey: Survey, layers: Sequence[str]) -> dict[str, Float[np.ndarray, " units"]]:
    """`unit_std` on 64 photos of a survey, also for layers that the survey does not cover.

    The survey's own table does not serve: it holds the largest activation of each photo, whose variation says little of
    how much a unit varies (rank correlation .1 to .3 half way through GoogLeNet).

    Raises:
      FeatvizError: for an unknown layer, or if no photo can be read.
    """
    readable = np.flatnonzero(survey.readable)
    if not len(readable):
        raise FeatvizError(f"`survey` `{survey.store.path}` has no photos that can be read; expected one that has run")
    chosen = readable[np.linspace(0, len(readable) - 1, min(PHOTOS, len(readable))).round().astype(int)]
    images = np.stack([survey.photo(index) for index in chosen.tolist()])
    return unit_std(survey.model, layers, images=images.astype(np.float32) / np.float32(255))


@kept_with_owner(maxsize=16)
def _moments(apply: Apply, layers: tuple[str, ...]) -> jax.stages.Wrapped:
    def moments(weights: Weights, images: Float[Array, "n h w c"]) -> dict[str, Float[Array, "2 n units"]]:
        """Mean and variance over the positions of each image."""
        activations = apply(weights, images, layers=layers)
        flat = {layer: activations[layer].astype(jnp.float32) for layer in layers}
        flat = {layer: value.reshape(value.shape[0], -1, value.shape[-1]) for layer, value in flat.items()}
        return {layer: jnp.stack([value.mean(1), value.var(1)]) for layer, value in flat.items()}

    return jax.jit(moments)


def _total_std(moments: Float[np.ndarray, "2 n units"]) -> Float[np.ndarray, " units"]:
    """The standard deviation over all images, from the mean and the variance of each."""
    mean, variance = moments
    std = np.sqrt(variance.mean(0) + mean.var(0))
    return np.where(np.isfinite(std), std, 0).astype(np.float32)
