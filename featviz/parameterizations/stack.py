"""A stack of resolutions: the picture as the sum of images of every size."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from featviz.parameterizations.base import Shape, unsquash


@dataclass(frozen=True)
class Stack:
    """(tanh(sum over r of enlarge(P_r)) + 1) / 2, P_r of r x r pixels (Fort and Whitaker 2025).

    r goes from 1, every `every`th, to the image's own longer side, which is always among them; of an image that is not
    square each has its shape. All begin at N(0, sd), the published 0. Params: (n, resolutions, height, width,
    channels), of which P_r uses the first rows and columns; one product of matrices enlarges all of them.

    >>> stack = Stack()
    >>> stack.to_image(stack.init(jax.random.key(0), (1, 9, 12, 3)), (1, 9, 12, 3))[0, 0, 0].tolist()
    [0.5, 0.5, 0.5]
    """

    every: int = 4
    sd: float = 0.0

    def init(self, key: jax.Array, shape: Shape) -> jax.Array:
        n, height, width, channels = shape
        return self.sd * jax.random.normal(key, (n, len(self._sizes((height, width))), height, width, channels))

    def to_image(self, params: jax.Array, shape: Shape) -> jax.Array:
        sizes = self._sizes(shape[1:3])
        rows, columns = (_enlargements([size[axis] for size in sizes], shape[1 + axis]) for axis in (0, 1))
        tall = jnp.einsum("rhp,nrpqc->nrhqc", jnp.asarray(rows), params)
        return (jnp.tanh(jnp.einsum("rwq,nrhqc->nhwc", jnp.asarray(columns), tall)) + 1.0) / 2.0

    def from_image(self, image: jax.Array) -> jax.Array:
        # tanh(t) = 2 sigmoid(2 t) - 1, so t is half the logit; the finest takes all of it.
        t = unsquash(image, decorrelate=False) / 2.0
        coarse = jnp.zeros((t.shape[0], len(self._sizes(t.shape[1:3])) - 1, *t.shape[1:]), jnp.float32)
        return jnp.concatenate([coarse, t[:, None]], axis=1)

    def _sizes(self, size: tuple[int, ...]) -> list[tuple[int, ...]]:
        longest = max(size)
        sides = [*range(1, longest, self.every), longest]
        return [tuple(max(1, round(side * r / longest)) for side in size) for r in sides]


def _enlargements(sizes: list[int], full: int) -> np.ndarray:
    """Linear enlargement from each of `sizes` to `full` pixels, (sizes, full, full); columns beyond a size are 0.

    Pixels are areas: the middle of the first of 2 lies at 1/4.
    """
    table = np.zeros((len(sizes), full, full), np.float32)
    places = np.arange(full)
    for weights, size in zip(table, sizes, strict=True):
        at = np.clip((places + 0.5) * size / full - 0.5, 0, size - 1)
        first = np.minimum(at.astype(int), max(size - 2, 0))
        share = at - first
        weights[places, first] += 1 - share
        if size > 1:
            weights[places, first + 1] += share
    return table
