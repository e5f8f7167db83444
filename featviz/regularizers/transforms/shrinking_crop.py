"""MACO's crops, which shrink while the picture grows."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.optimizers import Linear, Schedule
from featviz.regularizers.transforms.base import Transform
from featviz.regularizers.transforms.resample import crop_and_resize

# The crops' mean side from the first step to the last (Fel et al. 2023).
PUBLISHED_SIDE = Linear(0.5, 0.05)


@dataclass(frozen=True)
class ShrinkingCrop(Transform):
    """A crop about the center that shrinks during the optimization, resampled to one size.

    Its side is side(progress) + N(0, side_sd) of the image's, clipped to [min_side, 1]; its center is
    N(1/2, center_sd) on each axis, moved so that the crop lies inside.

    Args:
      side: a schedule of the mean side, as a share of the image's.
      side_sd: the standard deviation of the side.
      center_sd: the standard deviation of the center, as a share of the image's side.
      min_side: the smallest side.
      output_size: pixels a side of the output; None keeps the image's own size.

    References:
      Fel et al. 2023 (MACO).

    >>> ShrinkingCrop()(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (8, 9, 3)
    >>> ShrinkingCrop(output_size=6)(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (6, 6, 3)
    """

    side: Schedule = PUBLISHED_SIDE
    side_sd: float = 0.05
    center_sd: float = 0.15
    min_side: float = 0.05
    output_size: int | None = None

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h2 w2 c"]:
        side_key, center_key = jax.random.split(key)
        drawn = self.side(jnp.asarray(progress, jnp.float32)) + self.side_sd * jax.random.normal(side_key)
        side = jnp.clip(drawn, self.min_side, 1.0)
        center = 0.5 + self.center_sd * jax.random.normal(center_key, (2,))
        return crop_and_resize(image, side, jnp.clip(center, side / 2, 1 - side / 2), self.output_size)
