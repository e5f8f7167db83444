"""Pixels that start as noise with the large shapes and the colors of photographs."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Shape
from featviz.parameterizations.color import correlate_color, for_channels
from featviz.parameterizations.raw_pixels import RawPixels
from featviz.parameterizations.waves import scale_waves


@dataclass(frozen=True)
class NaturalPixels(RawPixels):
    """The image itself, as `RawPixels`, starting from noise of power 1 / f^2 in natural colors, clipped to [0,1].

    Args:
      mean: the start's mean, in [0,1]; one value or one a channel.
      sd: the root mean square of its distance from the mean, before it is clipped.
      low: not used.
      high: not used.

    References:
      Field 1987, Relations between the statistics of natural images and the response properties of cortical cells.

    >>> image = NaturalPixels().init(jax.random.key(0), (1, 32, 33, 3))
    >>> image.shape, round(float(jnp.sqrt(jnp.mean((image - 0.46) ** 2))), 1)
    ((1, 32, 33, 3), 0.3)
    """

    mean: float | tuple[float, ...] = 0.46
    sd: float = 0.27

    def init(self, key: PRNGKeyArray, shape: Shape) -> Float[Array, "n h w c"]:
        height, width = shape[1:3]
        rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
        # The mean varies as much as the largest shapes do.
        decay = 1 / np.maximum(np.sqrt(rows**2 + columns**2), 1 / max(height, width))
        smooth = scale_waves(jax.random.normal(key, shape, jnp.float32), jnp.asarray(decay, jnp.float32))
        colored = correlate_color(smooth)
        size = jnp.sqrt(jnp.mean(jnp.square(colored), axis=(1, 2, 3), keepdims=True))
        mean = jnp.asarray(for_channels(self.mean, shape[-1]).reshape(1, 1, 1, -1))
        return jnp.clip(mean + self.sd * colored / size, 0, 1)
