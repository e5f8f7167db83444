"""Jitter: a random shift by cropping."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class Jitter(Transform):
    """A random crop to `pixels` less on each axis: a shift of up to plus or minus pixels / 2.

    The crop's corner is uniform over {0, ..., pixels} on each axis.

    Args:
      pixels: how many rows and columns are cut off.

    References:
      lucid, optvis/transform.py, `jitter`.

    >>> Jitter(2)(jax.random.key(0), jnp.zeros((8, 8, 3)), 0.0).shape
    (6, 6, 3)
    """

    pixels: int

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h2 w2 c"]:
        height, width, channels = image.shape
        corner = jax.random.randint(key, (2,), 0, self.pixels + 1)
        size = (height - self.pixels, width - self.pixels, channels)
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], jnp.zeros((), corner.dtype)), size)
