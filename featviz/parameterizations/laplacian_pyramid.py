"""A Laplacian pyramid: the image as the sum of levels of halved sizes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape, squash, unsquash


def upsample(image: Float[Array, "n h w c"], size: tuple[int, ...]) -> Float[Array, "n h2 w2 c"]:
    """Images upsampled linearly to (height, width)."""
    return jax.image.resize(image, (image.shape[0], *size, image.shape[-1]), "linear", antialias=False)


@dataclass(frozen=True)
class LaplacianPyramid(Parameterization):
    """sigmoid(color(sum over k of upsample(level_k))), level k at 1 / 2^k of the size: all scales move alike.

    Params: a tuple, the finest level first, each from N(0, sd).

    Args:
      levels: how many levels.
      sd: the standard deviation of the start.
      decorrelate: whether channels are decorrelated colors (`color.correlate_color`).

    References:
      lucid, optvis/param/lowres.py.

    >>> pyramid = LaplacianPyramid()
    >>> [level.shape[1] for level in pyramid.init(jax.random.key(0), (1, 32, 32, 3))]
    [32, 16, 8, 4]
    """

    levels: int = 4
    sd: float = 0.1
    decorrelate: bool = True

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Float[Array, "n h2 w2 c"], ...]:
        keys = jax.random.split(key, self.levels)
        sizes = self._sizes(shape[1:3])
        return tuple(
            self.sd * jax.random.normal(key, (shape[0], *size, shape[3]), jnp.float32)
            for key, size in zip(keys, sizes, strict=True)
        )

    def to_image(self, params: tuple[Float[Array, "n h2 w2 c"], ...], shape: Shape) -> Float[Array, "n h w c"]:
        parts = [upsample(level, shape[1:3]) for level in params]
        return squash(sum(parts[1:], start=parts[0]), decorrelate=self.decorrelate)

    def from_image(self, image: Float[Array, "n h w c"]) -> tuple[Float[Array, "n h2 w2 c"], ...]:
        t = unsquash(image, decorrelate=self.decorrelate)
        size = t.shape[1:3]
        levels: list[Float[Array, "n h2 w2 c"]] = []
        # Each coarse level takes what it can represent, the finest the rest.
        for small in reversed(self._sizes(size)[1:]):
            level = jax.image.resize(t, (t.shape[0], *small, t.shape[-1]), "linear", antialias=True)
            levels.append(level)
            t = t - upsample(level, size)
        return (t, *reversed(levels))

    def _sizes(self, size: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [tuple(max(1, side // 2**level) for side in size) for level in range(self.levels)]
