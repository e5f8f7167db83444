"""The image's spectrum: lucid's parameterization, featviz's default."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape, squash, unsquash
from featviz.parameterizations.waves import frequencies


@dataclass(frozen=True)
class Fourier(Parameterization):
    """Scaled Fourier coefficients: sigmoid(color(irfft2(scale * (re + i im)) / 4)), re and im from N(0, sd).

    scale = sqrt(w h) / max(f, 1 / max(w, h))^decay, f the radial frequency in cycles a pixel: gradient ascent then
    prefers low frequencies, as photographs do. Params: (n, height, width // 2 + 1, channels, 2).

    Args:
      sd: the standard deviation of the start.
      decay: the exponent with which the scale falls with frequency.
      decorrelate: whether channels are decorrelated colors (`color.correlate_color`).

    References:
      Olah et al. 2017; lucid, optvis/param/spatial.py, `fft_image`.

    >>> fourier = Fourier()
    >>> fourier.to_image(fourier.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3)).shape
    (1, 8, 9, 3)
    """

    sd: float = 0.01
    decay: float = 1.0
    decorrelate: bool = True

    def init(self, key: PRNGKeyArray, shape: Shape) -> Float[Array, "n h f c 2"]:
        n, height, width, channels = shape
        return self.sd * jax.random.normal(key, (n, height, width // 2 + 1, channels, 2), jnp.float32)

    def to_image(self, params: Float[Array, "n h f c 2"], shape: Shape) -> Float[Array, "n h w c"]:
        scaled = params * self._scale(shape)
        spectrum = jax.lax.complex(scaled[..., 0], scaled[..., 1])
        t = jnp.fft.irfft2(spectrum, s=shape[1:3], axes=(1, 2)) / 4.0
        return squash(t, decorrelate=self.decorrelate)

    def from_image(self, image: Float[Array, "n h w c"]) -> Float[Array, "n h f c 2"]:
        spectrum = jnp.fft.rfft2(4.0 * unsquash(image, decorrelate=self.decorrelate), axes=(1, 2))
        return jnp.stack([spectrum.real, spectrum.imag], axis=-1) / self._scale(tuple(image.shape))

    def _scale(self, shape: tuple[int, ...]) -> Float[np.ndarray, "1 h f 1 1"]:
        height, width = shape[1:3]
        scale = np.sqrt(width * height) / np.maximum(frequencies(height, width), 1.0 / max(width, height)) ** self.decay
        return scale.astype(np.float32)[None, :, :, None, None]
