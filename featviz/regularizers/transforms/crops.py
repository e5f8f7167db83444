"""More robustness: crops at many sizes, shifts of color, noise of other kinds, a random background.

Transforms as in `robustness`: (key, image, progress) -> image of a static shape, (h, w, c).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from featviz.optimizers import Linear
from featviz.parameterizations import Fourier
from featviz.regularizers.transforms.geometric import Additive

# The sides of the crops from the first step to the last (Fel et al. 2023).
SHRINKING = Linear(0.5, 0.05)


@dataclass(frozen=True)
class RandomCrop:
    """A square part of the image at a random size, resampled to `out` pixels a side, or to the image's own size.

    Its side is U(low, high) of the image's; its middle U over where it fits (Hamblin et al. 2024: .05 to .99).

    >>> RandomCrop(0.05, 0.99, out=6)(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (6, 6, 3)
    """

    low: float
    high: float
    out: int | None = None

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        size_key, place_key = jax.random.split(key)
        side = jax.random.uniform(size_key, (), jnp.float32, self.low, self.high)
        middle = side / 2 + (1 - side) * jax.random.uniform(place_key, (2,), jnp.float32)
        return _crop(image, side, middle, self.out)


@dataclass(frozen=True)
class ShrinkingCrop:
    """A part of the image that shrinks while the picture grows (Fel et al. 2023, MACO).

    Its side is sides(progress) + N(0, side_sd) of the image's, clipped to [least, 1]; its middle N(1/2, middle_sd),
    moved inside; resampled to `out` pixels a side, or to the image's own size.

    >>> ShrinkingCrop()(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (8, 9, 3)
    """

    sides: Linear = SHRINKING
    side_sd: float = 0.05
    middle_sd: float = 0.15
    least: float = 0.05
    out: int | None = None

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        size_key, place_key = jax.random.split(key)
        drawn = self.sides(jnp.asarray(progress, jnp.float32)) + self.side_sd * jax.random.normal(size_key)
        side = jnp.clip(drawn, self.least, 1.0)
        middle = 0.5 + self.middle_sd * jax.random.normal(place_key, (2,))
        return _crop(image, side, jnp.clip(middle, side / 2, 1 - side / 2), self.out)


def _crop(image: jax.Array, side: jax.Array, middle: jax.Array, out: int | None) -> jax.Array:
    """The part of `side` times the image about `middle`, both in those of the image; linear, antialiased."""
    height, width, channels = image.shape
    size = (height, width) if out is None else (out, out)
    scale = jnp.asarray(size, jnp.float32) / (side * jnp.asarray([height, width], jnp.float32))
    first = (middle - side / 2) * jnp.asarray([height, width], jnp.float32)
    shape = (*size, channels)
    return jax.image.scale_and_translate(image, shape, (0, 1), scale, -first * scale, "linear", antialias=True)


@dataclass(frozen=True)
class ColorShift:
    """(x - mu) / sigma, mu from U(-mean, mean) and sigma = e^U(-log_sd, log_sd), each channel (Ghiasi et al. 2022)."""

    mean: float = 1.0
    log_sd: float = 1.0

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        mean_key, sd_key = jax.random.split(key)
        shape = (1, 1, image.shape[-1])
        mu = jax.random.uniform(mean_key, shape, image.dtype, -self.mean, self.mean)
        sigma = jnp.exp(jax.random.uniform(sd_key, shape, image.dtype, -self.log_sd, self.log_sd))
        return (image - mu) / sigma


@dataclass(frozen=True)
class UniformNoise(Additive):
    """Noise of U(low, high) on each value."""

    low: float
    high: float

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        return image + jax.random.uniform(key, image.shape, image.dtype, self.low, self.high)


@dataclass(frozen=True)
class ChannelNoise(Additive):
    """Normal noise, one draw for a whole channel, of standard deviation `sd` at the start and none at the end."""

    sd: float = 0.5

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        left = self.sd * (1.0 - jnp.asarray(progress, image.dtype))
        return image + left * jax.random.normal(key, (1, 1, image.shape[-1]), image.dtype)


@dataclass(frozen=True)
class Background:
    """An image with alpha, the last channel, over a random background: rgb * alpha + noise * (1 - alpha).

    The noise is smooth, with a Fourier spectrum of `decay` and standard deviation `sd` before its sigmoid (Mordvintsev
    et al. 2018: .2 and 1.5): what hides in one background shows in the next.

    >>> Background()(jax.random.key(0), jnp.ones((8, 9, 4)), 0.0).shape
    (8, 9, 3)
    """

    sd: float = 0.2
    decay: float = 1.5

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        height, width, channels = image.shape
        noise = Fourier(sd=self.sd, decay=self.decay)
        shape = (1, height, width, channels - 1)
        behind = noise.to_image(noise.init(key, shape), shape)[0]
        alpha = image[..., -1:]
        return image[..., :-1] * alpha + behind * (1.0 - alpha)


def over_gray(image: jax.Array) -> jax.Array:
    """An image with alpha over gray: what its score is measured on."""
    alpha = image[..., -1:]
    return image[..., :-1] * alpha + np.float32(0.5) * (1.0 - alpha)
