"""How much each unit varies: the weight of its connections."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Model, Weights
from featviz.natural.reduction import batches
from featviz.natural.statistics import moments
from featviz.natural.survey import Survey

# Pieces of noise that stand for images, and of them how many at once.
PIECES = 32
AT_ONCE = 8
# Their standard deviation within a piece, as of natural images, and how much of it is colour.
CONTRAST, COLOUR = 0.2, 0.3


def spread_of(model: Model, layers: Sequence[str], *, images: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Each unit's standard deviation over positions and images: layer -> float32, (units,).

    `images` are floats in [0,1], (n, h, w, c), by default 32 pieces of 1/f noise, always the same (`noise` with
    numpy's generator of seed 0), at the training size.

    Raises: FeatvizError for an unknown layer, or images of another shape.

    >>> import featviz as fv
    >>> spread_of(fv.load("patterns"), ["conv1"])["conv1"].shape
    (20,)
    """
    chosen = tuple(dict.fromkeys(model.layer(name).name for name in layers))
    channels = model.input.channels
    if images is None:
        images = noise(np.random.default_rng(0), PIECES, model.input.size, channels=channels)
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
    """The same of a survey's photographs: of each unit's largest activations, one a photograph; 0 where not finite.

    Raises: FeatvizError for a layer that the survey lacks.
    """
    numbers = np.flatnonzero(survey.readable)
    found = {layer: moments(survey, layer, numbers)[1].astype(np.float32) for layer in layers}
    return {layer: np.where(np.isfinite(sd), sd, np.float32(0)) for layer, sd in found.items()}


def noise(rng: np.random.Generator, count: int, size: tuple[int, int], *, channels: int = 3) -> np.ndarray:
    """Noise whose amplitude falls off as 1/f, as natural images' does: float32 in [0,1], (count, *size, channels).

    Greys of mean .5 and standard deviation .2 in each piece, with three tenths of that in each colour besides.

    >>> made = noise(np.random.default_rng(0), 2, (16, 24))
    >>> made.shape, made.dtype, bool((made >= 0).all() and (made <= 1).all())
    ((2, 16, 24, 3), dtype('float32'), True)
    """
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal((count, channels + 1, *size)))
    pieces = np.fft.irfft2(white / frequency, s=size)
    pieces /= np.maximum(pieces.std((2, 3), keepdims=True), 1e-12)
    colours = COLOUR * pieces[:, 1:] if channels > 1 else 0.0 * pieces[:, 1:]
    made = 0.5 + CONTRAST * (pieces[:, :1] + colours)
    return np.ascontiguousarray(np.moveaxis(np.clip(made, 0, 1), 1, -1), np.float32)


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
