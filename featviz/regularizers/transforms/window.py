"""A window: a part of the picture at full resolution."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class Window(Transform):
    """A crop of fixed size about the middle of the picture, not resampled.

    offset = slack * N(1/2, spread), clipped to [0, slack], with slack the rows or columns outside the window: each
    pixel of the window is seen at its own resolution.

    Args:
      side: the window's side, as a share of the image's.
      spread: the standard deviation of the offset, as a share of the slack.

    References:
      Øygard 2015 (auduno/deepdraw).

    >>> Window(0.5)(jax.random.key(0), jnp.zeros((8, 6, 3)), 0.0).shape
    (4, 3, 3)
    """

    side: float
    spread: float = 0.3

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h2 w2 c"]:
        height, width, channels = image.shape
        size = (round(self.side * height), round(self.side * width))
        slack = jnp.asarray([height - size[0], width - size[1]], jnp.float32)
        drawn = 0.5 + self.spread * jax.random.normal(key, (2,), jnp.float32)
        corner = jnp.clip(slack * drawn, 0, slack).astype(jnp.int32)
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], jnp.zeros((), jnp.int32)), (*size, channels))
