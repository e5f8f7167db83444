"""Crops of random size, resampled to one size."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform
from featviz.regularizers.transforms.resample import crop_and_resize


@dataclass(frozen=True)
class RandomCrop(Transform):
    """A crop of random size at a random position, resampled to one size.

    Its side is U(low, high) times the image's; its center is uniform over the positions where it lies inside.

    Args:
      low: the smallest side, as a share of the image's.
      high: the largest.
      output_size: pixels a side of the output; None keeps the image's own size.

    References:
      Hamblin et al. 2024, with sides from .05 to .99.

    >>> RandomCrop(0.05, 0.99, output_size=6)(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (6, 6, 3)
    >>> RandomCrop(0.5, 0.9)(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (8, 9, 3)
    """

    low: float
    high: float
    output_size: int | None = None

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h2 w2 c"]:
        side_key, center_key = jax.random.split(key)
        side = jax.random.uniform(side_key, (), jnp.float32, self.low, self.high)
        center = side / 2 + (1 - side) * jax.random.uniform(center_key, (2,), jnp.float32)
        return crop_and_resize(image, side, center, self.output_size)
