"""Uniform noise on every value."""

from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class UniformNoise(Transform):
    """Adds independent uniform noise to every value, x + U(low, high).

    Args:
      low: the smallest noise, in the image's range.
      high: the largest.

    References:
      Fel et al. 2023 (-.04 to .04); Fort and Whitaker 2025 (0 to .2).

    >>> UniformNoise(-0.04, 0.04)(jax.random.key(0), jax.numpy.zeros((8, 9, 3)), 0.0).shape
    (8, 9, 3)
    """

    adds_noise: ClassVar[bool] = True
    low: float
    high: float

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h w c"]:
        return image + jax.random.uniform(key, image.shape, image.dtype, self.low, self.high)
