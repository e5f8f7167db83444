"""Gaussian noise on whole channels."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class ChannelNoise(Transform):
    """Adds one normal value to each channel, x + N(0, sd (1 - progress)): none at the end.

    Args:
      sd: the standard deviation at the start, in the image's range.

    References:
      Ghiasi et al. 2022.

    >>> ChannelNoise()(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (8, 9, 3)
    """

    adds_noise: ClassVar[bool] = True
    sd: float = 0.5

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h w c"]:
        sd = self.sd * (1.0 - jnp.asarray(progress, image.dtype))
        return image + sd * jax.random.normal(key, (1, 1, image.shape[-1]), image.dtype)
