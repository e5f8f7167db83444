"""Pixels as they are: what was optimized before 2017."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from featviz.parameterizations.base import Shape
from featviz.parameterizations.color import for_channels


@dataclass(frozen=True)
class RawPixels:
    """The image itself, neither squashed nor decorrelated; step rules keep it in its range.

    It begins as `mean`, one value or one a channel, with normal noise of standard deviation `sd`, or, with `low` and
    `high`, as uniform noise between these. All are of images of 0 to 1.

    >>> RawPixels(low=0.0, high=1.0).init(jax.random.key(0), (1, 8, 9, 3)).shape
    (1, 8, 9, 3)
    """

    mean: float | tuple[float, ...] = 0.5
    sd: float = 0.01
    low: float | None = None
    high: float | None = None

    def init(self, key: jax.Array, shape: Shape) -> jax.Array:
        if self.low is not None and self.high is not None:
            return jax.random.uniform(key, shape, jnp.float32, self.low, self.high)
        mean = jnp.asarray(for_channels(self.mean, shape[-1]).reshape(1, 1, 1, -1))
        return mean + self.sd * jax.random.normal(key, shape, jnp.float32)

    def to_image(self, params: jax.Array, shape: Shape) -> jax.Array:
        return params

    def from_image(self, image: jax.Array) -> jax.Array:
        return jnp.asarray(image, jnp.float32)
