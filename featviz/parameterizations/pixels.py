"""Pixels under a sigmoid."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape, squash, unsquash


@dataclass(frozen=True)
class Pixels(Parameterization):
    """One parameter a pixel and channel: sigmoid(color(params)), from N(0, sd).

    Args:
      sd: the standard deviation of the start.
      decorrelate: whether channels are decorrelated colors (`color.correlate_color`).

    References:
      lucid, optvis/param/images.py, with `fft=False`.

    >>> pixels = Pixels(sd=0.3)
    >>> pixels.to_image(pixels.init(jax.random.key(0), (1, 8, 8, 3)), (1, 8, 8, 3)).shape
    (1, 8, 8, 3)
    """

    sd: float = 0.01
    decorrelate: bool = True

    def init(self, key: PRNGKeyArray, shape: Shape) -> Float[Array, "n h w c"]:
        return self.sd * jax.random.normal(key, shape, jnp.float32)

    def to_image(self, params: Float[Array, "n h w c"], shape: Shape) -> Float[Array, "n h w c"]:
        return squash(params, decorrelate=self.decorrelate)

    def from_image(self, image: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        return unsquash(image, decorrelate=self.decorrelate)
