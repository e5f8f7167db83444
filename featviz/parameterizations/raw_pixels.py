"""Pixels without a sigmoid: what was optimized before 2017."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape
from featviz.parameterizations.color import for_channels


@dataclass(frozen=True)
class RawPixels(Parameterization):
    """The image itself, neither bounded nor decorrelated; step rules keep it in its range.

    It starts as N(mean, sd), or as U(low, high) where both are given.

    Args:
      mean: the start's mean, in [0,1]; one value or one a channel.
      sd: its standard deviation.
      low: the smallest value of a uniform start.
      high: the largest.

    >>> RawPixels(low=0.0, high=1.0).init(jax.random.key(0), (1, 8, 9, 3)).shape
    (1, 8, 9, 3)
    >>> RawPixels(mean=(0.485, 0.456, 0.406), sd=0.1).init(jax.random.key(0), (1, 8, 9, 3)).shape
    (1, 8, 9, 3)
    """

    bounded: ClassVar[bool] = False
    mean: float | tuple[float, ...] = 0.5
    sd: float = 0.01
    low: float | None = None
    high: float | None = None

    def init(self, key: PRNGKeyArray, shape: Shape) -> Float[Array, "n h w c"]:
        if self.low is not None and self.high is not None:
            return jax.random.uniform(key, shape, jnp.float32, self.low, self.high)
        mean = jnp.asarray(for_channels(self.mean, shape[-1]).reshape(1, 1, 1, -1))
        return mean + self.sd * jax.random.normal(key, shape, jnp.float32)

    def to_image(self, params: Float[Array, "n h w c"], shape: Shape) -> Float[Array, "n h w c"]:
        return params

    def from_image(self, image: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        return jnp.asarray(image, jnp.float32)
