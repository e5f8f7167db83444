"""One resampling for every geometric transform: an affine map, bilinear between pixels."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def reflect(at: jax.Array, size: int) -> jax.Array:
    """Positions beyond an edge mirrored back inside, the edge pixel once: ... 1 0 | 0 1 2 ... (half-sample symmetric).

    >>> reflect(jnp.array([-1, 0, 3, 4]), 4).tolist()
    [0, 0, 3, 3]
    """
    at = jnp.mod(at, 2 * size)
    return jnp.where(at < size, at, 2 * size - 1 - at)


def affine(image: jax.Array, matrix: jax.Array, shift: jax.Array, *, edge: Callable = reflect) -> jax.Array:
    """The image under an affine map about its centre: out(p) = image(matrix @ (p - c) + c + shift).

    Bilinear; positions (row, column) beyond the edge are brought inside by `edge`. (h, w, c) -> (h, w, c).

    >>> image = jnp.arange(4.0).reshape(2, 2, 1)
    >>> affine(image, jnp.eye(2), jnp.zeros(2))[..., 0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    height, width, channels = image.shape
    rows, columns = (height - 1) / 2, (width - 1) / 2
    y = (jnp.arange(height, dtype=jnp.float32) - rows)[:, None]
    x = (jnp.arange(width, dtype=jnp.float32) - columns)[None, :]
    y = jnp.broadcast_to(y, (height, width))
    x = jnp.broadcast_to(x, (height, width))
    source_y = matrix[0, 0] * y + matrix[0, 1] * x + rows + shift[0]
    source_x = matrix[1, 0] * y + matrix[1, 1] * x + columns + shift[1]
    top, left = jnp.floor(source_y), jnp.floor(source_x)
    down, right = (source_y - top)[..., None], (source_x - left)[..., None]

    flat = image.reshape(height * width, channels)

    def pick(row: jax.Array, column: jax.Array) -> jax.Array:
        return jnp.take(flat, edge(row, height) * width + edge(column, width), axis=0, mode="clip")

    row, column = top.astype(jnp.int32), left.astype(jnp.int32)
    above = pick(row, column) * (1 - right) + pick(row, column + 1) * right
    below = pick(row + 1, column) * (1 - right) + pick(row + 1, column + 1) * right
    return above * (1 - down) + below * down
