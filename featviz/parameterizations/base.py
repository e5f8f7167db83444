"""What is optimized in place of an image: a pair of functions, `init` and `to_image`."""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from featviz.parameterizations.color import correlate_color, decorrelate_color

Shape = tuple[int, int, int, int]
# How far from 0 and 1 a start image is kept, so that its inverse sigmoid is finite and can still move.
MARGIN = 1e-2


class Parameterization(Protocol):
    """`to_image(init(key, shape), shape)` is an image in (0,1) of shape (n, height, width, channels)."""

    def init(self, key: jax.Array, shape: Shape) -> Any: ...

    def to_image(self, params: Any, shape: Shape) -> jax.Array: ...

    def from_image(self, image: jax.Array) -> Any: ...


def extra_channels(parameterization: Parameterization) -> int:
    """How many channels an image of it has beyond those of the shape: 1 for alpha, else 0.

    >>> extra_channels(Pixels())
    0
    """
    image = jax.eval_shape(lambda: _drawn(parameterization, (1, 16, 16, 1)))
    return image.shape[-1] - 1


def _drawn(parameterization: Parameterization, shape: Shape) -> jax.Array:
    return parameterization.to_image(parameterization.init(jax.random.key(0), shape), shape)


def squash(t: jax.Array, *, decorrelate: bool) -> jax.Array:
    """sigmoid(t), after mixing decorrelated colors into RGB."""
    return jax.nn.sigmoid(correlate_color(t) if decorrelate else t)


def unsquash(image: jax.Array, *, decorrelate: bool, margin: float = MARGIN) -> jax.Array:
    """The inverse of `squash`, for images kept `margin` away from 0 and 1."""
    t = jax.scipy.special.logit(jnp.clip(image, margin, 1.0 - margin))
    return decorrelate_color(t) if decorrelate else t


@dataclass(frozen=True)
class Pixels:
    """One parameter a pixel and channel: sigmoid(params), from normal noise of standard deviation `sd`.

    >>> pixels = Pixels()
    >>> pixels.to_image(pixels.init(jax.random.key(0), (1, 8, 8, 3)), (1, 8, 8, 3)).shape
    (1, 8, 8, 3)
    """

    sd: float = 0.01
    decorrelate: bool = True

    def init(self, key: jax.Array, shape: Shape) -> jax.Array:
        return self.sd * jax.random.normal(key, shape, jnp.float32)

    def to_image(self, params: jax.Array, shape: Shape) -> jax.Array:
        return squash(params, decorrelate=self.decorrelate)

    def from_image(self, image: jax.Array) -> jax.Array:
        return unsquash(image, decorrelate=self.decorrelate)


@dataclass(frozen=True)
class Fourier:
    """The image's spectrum: sigmoid(irfft2(scale * (re + i im)) / 4), re and im from N(0, sd).

    scale = sqrt(w * h) / max(f, 1 / max(w, h))^decay with f the radial frequency in cycles a pixel (lucid,
    optvis/param/spatial.py; Olah et al. 2017): gradient ascent on it prefers low frequencies, as photographs do.
    Params: (n, height, width // 2 + 1, channels, 2).

    >>> fourier = Fourier()
    >>> fourier.to_image(fourier.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3)).shape
    (1, 8, 9, 3)
    """

    sd: float = 0.01
    decay: float = 1.0
    decorrelate: bool = True

    def init(self, key: jax.Array, shape: Shape) -> jax.Array:
        n, height, width, channels = shape
        return self.sd * jax.random.normal(key, (n, height, width // 2 + 1, channels, 2), jnp.float32)

    def to_image(self, params: jax.Array, shape: Shape) -> jax.Array:
        scaled = params * self._scale(shape)
        spectrum = jax.lax.complex(scaled[..., 0], scaled[..., 1])
        t = jnp.fft.irfft2(spectrum, s=shape[1:3], axes=(1, 2)) / 4.0
        return squash(t, decorrelate=self.decorrelate)

    def from_image(self, image: jax.Array) -> jax.Array:
        spectrum = jnp.fft.rfft2(4.0 * unsquash(image, decorrelate=self.decorrelate), axes=(1, 2))
        return jnp.stack([spectrum.real, spectrum.imag], axis=-1) / self._scale(tuple(image.shape))

    def _scale(self, shape: tuple[int, ...]) -> np.ndarray:
        height, width = shape[1:3]
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
        scale = np.sqrt(width * height) / np.maximum(frequency, 1.0 / max(width, height)) ** self.decay
        return scale.astype(np.float32)[None, :, :, None, None]
