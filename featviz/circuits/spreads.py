"""How much each unit varies: the weight of its connections."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Model, Weights
from featviz.surveys.reduction import batches
from featviz.surveys.survey import Survey

# Photographs of a survey that tell a layer's spread, and of them how many at once.
PHOTOS = 64
AT_ONCE = 8


def spread_of(model: Model, layers: Sequence[str], *, images: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Each unit's standard deviation over positions and images: layer -> float32, (units,).

    `images` are floats in [0,1], (n, h, w, c); they should be what the network was trained on. Without any, each unit
    counts as much as another, 1. No noise stands for them: on photographs the spreads of GoogLeNet's units differ
    by a quarter (the standard deviation of their logarithms), while 1/f noise leaves every fifth of `inception_5a`
    silent, and of a unit's five strongest inputs by photographs finds one or two. 1 finds three.

    Raises: FeatvizError for an unknown layer, or images of another shape.

    >>> import featviz as fv
    >>> images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    >>> spread_of(fv.load("patterns"), ["conv1"], images=images)["conv1"].shape
    (20,)
    """
    chosen = tuple(dict.fromkeys(model.layer(name).name for name in layers))
    channels = model.input.channels
    if images is None:
        return {layer: np.ones(model.layer(layer).units, np.float32) for layer in chosen}
    if images.ndim != 4 or images.shape[-1] != channels or not len(images) or images.dtype.kind != "f":
        raise FeatvizError(
            f"`images` are {images.dtype} of shape {images.shape}; expected floats in [0,1], (n, h, w, {channels})"
        )
    parts: dict[str, list[np.ndarray]] = {layer: [] for layer in chosen}
    for count, some in batches(images.astype(np.float32), count=min(AT_ONCE, len(images))):
        found = compiled(_moments(model.apply, chosen), model.weights, some)(model.weights, some)
        for layer in chosen:
            parts[layer].append(np.asarray(found[layer], np.float64)[:, :count])
    return {layer: _together(np.concatenate(some, axis=1)) for layer, some in parts.items()}


def surveyed_spread(survey: Survey, layers: Sequence[str]) -> dict[str, np.ndarray]:
    """The same on 64 of a survey's photographs, also of layers that it is not of.

    Not from its table, which has the largest activation of each photograph: how that varies says little of how much a
    unit does (rank correlation .1 to .3 half way through GoogLeNet).

    Raises: FeatvizError for an unknown layer, or if no photograph can be read.
    """
    numbers = np.flatnonzero(survey.readable)
    if not len(numbers):
        raise FeatvizError(f"`survey` `{survey.store.path}` has no photos that can be read; expected one that has run")
    chosen = numbers[np.linspace(0, len(numbers) - 1, min(PHOTOS, len(numbers))).round().astype(int)]
    images = np.stack([survey.photo(number) for number in chosen.tolist()])
    return spread_of(survey.model, layers, images=images.astype(np.float32) / np.float32(255))


@lru_cache(maxsize=16)
def _moments(apply: Any, layers: tuple[str, ...]) -> Any:
    def found(weights: Weights, images: jax.Array) -> dict[str, jax.Array]:
        """Mean and variance over each image's positions, (2, images, units)."""
        activations = apply(weights, images, layers=layers)
        flat = {layer: activations[layer].astype(jnp.float32) for layer in layers}
        flat = {layer: value.reshape(value.shape[0], -1, value.shape[-1]) for layer, value in flat.items()}
        return {layer: jnp.stack([value.mean(1), value.var(1)]) for layer, value in flat.items()}

    return jax.jit(found)


def _together(parts: np.ndarray) -> np.ndarray:
    """The standard deviation of all, of each image's mean and variance, (2, images, units)."""
    mean, variance = parts
    sd = np.sqrt(variance.mean(0) + mean.var(0))
    return np.where(np.isfinite(sd), sd, 0).astype(np.float32)
