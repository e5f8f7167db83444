"""Roll: a random shift that wraps around."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class Roll(Transform):
    """A random shift on both axes; what leaves one edge comes in at the other.

    The shift is uniform over {-pixels, ..., pixels} on each axis.

    Args:
      pixels: the largest shift.

    References:
      Mordvintsev et al. 2015, google/deepdream, dream.ipynb, `jitter`.

    >>> Roll(1)(jax.random.key(0), jnp.ones((8, 9, 3)), 0.0).shape
    (8, 9, 3)
    """

    pixels: int

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h w c"]:
        shift = jax.random.randint(key, (2,), -self.pixels, self.pixels + 1)
        return jnp.roll(image, shift, axis=(0, 1))
