"""The image as the sum of images of every resolution."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape, unsquash


@dataclass(frozen=True)
class MultiResolution(Parameterization):
    """(tanh(sum over r of upsample(P_r)) + 1) / 2, with P_r of r pixels on its longer side.

    r runs from 1 in steps of `stride` to the image's own longer side, which is always among them; P_r has the image's
    aspect ratio. All begin at N(0, sd); the published start is 0. Params: (n, resolutions, height, width, channels),
    of which P_r uses the first rows and columns; one matrix product upsamples all of them.

    Args:
      stride: the step between resolutions, in pixels.
      sd: the standard deviation of the start.

    References:
      Fort and Whitaker 2025 (Direct Ascent Synthesis).

    >>> images = MultiResolution()
    >>> images.to_image(images.init(jax.random.key(0), (1, 9, 12, 3)), (1, 9, 12, 3))[0, 0, 0].tolist()
    [0.5, 0.5, 0.5]
    >>> MultiResolution(sd=0.1).init(jax.random.key(0), (1, 9, 12, 3)).shape
    (1, 4, 9, 12, 3)
    """

    stride: int = 4
    sd: float = 0.0

    def init(self, key: PRNGKeyArray, shape: Shape) -> Float[Array, "n r h w c"]:
        n, height, width, channels = shape
        return self.sd * jax.random.normal(key, (n, len(self._sizes((height, width))), height, width, channels))

    def to_image(self, params: Float[Array, "n r h w c"], shape: Shape) -> Float[Array, "n h w c"]:
        sizes = self._sizes(shape[1:3])
        rows, columns = (_upsampling([size[axis] for size in sizes], shape[1 + axis]) for axis in (0, 1))
        tall = jnp.einsum("rhp,nrpqc->nrhqc", jnp.asarray(rows), params)
        return (jnp.tanh(jnp.einsum("rwq,nrhqc->nhwc", jnp.asarray(columns), tall)) + 1.0) / 2.0

    def from_image(self, image: Float[Array, "n h w c"]) -> Float[Array, "n r h w c"]:
        # tanh(t) = 2 sigmoid(2 t) - 1, so t is half the logit; the finest resolution takes all of it.
        t = unsquash(image, decorrelate=False) / 2.0
        coarse = jnp.zeros((t.shape[0], len(self._sizes(t.shape[1:3])) - 1, *t.shape[1:]), jnp.float32)
        return jnp.concatenate([coarse, t[:, None]], axis=1)

    def _sizes(self, size: tuple[int, ...]) -> list[tuple[int, ...]]:
        longest = max(size)
        sides = [*range(1, longest, self.stride), longest]
        return [tuple(max(1, round(side * r / longest)) for side in size) for r in sides]


def _upsampling(sizes: list[int], full: int) -> Float[np.ndarray, "r full full"]:
    """Linear upsampling from each of `sizes` to `full` pixels, as matrices; columns beyond a size are 0.

    Pixels are areas: the center of the first of 2 lies at 1/4.
    """
    table = np.zeros((len(sizes), full, full), np.float32)
    rows = np.arange(full)
    for matrix, size in zip(table, sizes, strict=True):
        position = np.clip((rows + 0.5) * size / full - 0.5, 0, size - 1)
        first = np.minimum(position.astype(int), max(size - 2, 0))
        weight = position - first
        matrix[rows, first] += 1 - weight
        if size > 1:
            matrix[rows, first + 1] += weight
    return table
