"""Windows: a part of the picture, in full resolution, in place of the whole."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Window:
    """A crop of `side` times the picture's sides, its place drawn about the middle (Oygard 2015).

    offset = slack * N(1/2, spread), clipped to [0, slack], with slack the rows or columns that the window leaves.
    In the same step every pixel of the window is seen once, at its own resolution.

    >>> Window(0.5)(jax.random.key(0), jnp.zeros((8, 6, 3)), 0.0).shape
    (4, 3, 3)
    """

    side: float
    spread: float = 0.3

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        height, width, channels = image.shape
        size = (round(self.side * height), round(self.side * width))
        slack = jnp.asarray([height - size[0], width - size[1]], jnp.float32)
        drawn = 0.5 + self.spread * jax.random.normal(key, (2,), jnp.float32)
        at = jnp.clip(slack * drawn, 0, slack).astype(jnp.int32)
        return jax.lax.dynamic_slice(image, (at[0], at[1], jnp.zeros((), jnp.int32)), (*size, channels))
