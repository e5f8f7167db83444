"""One resampling for every geometric transform: an affine map, bilinear between pixels."""

import jax
import jax.numpy as jnp


def reflect(at: jax.Array, size: int) -> jax.Array:
    """Positions beyond an edge mirrored back inside, the edge pixel once: ... 1 0 | 0 1 2 ... (half-sample symmetric).

    >>> reflect(jnp.array([-1, 0, 3, 4]), 4).tolist()
    [0, 0, 3, 3]
    """
    at = jnp.mod(at, 2 * size)
    return jnp.where(at < size, at, 2 * size - 1 - at)


def affine(image: jax.Array, matrix: jax.Array, shift: jax.Array) -> jax.Array:
    """The image under an affine map about its center: out(p) = image(matrix @ (p - c) + c + shift).

    Bilinear; positions (row, column) beyond an edge are mirrored back inside. (h, w, c) -> (h, w, c).

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
    row, below = _neighbors(source_y, height)
    column, right = _neighbors(source_x, width)

    # The four neighbors side by side: one gather, and on the way back one scatter, in place of four.
    image = jnp.concatenate([image, image[-1:]])
    image = jnp.concatenate([image, image[:, -1:]], axis=1)
    corners = [image[:-1, :-1], image[:-1, 1:], image[1:, :-1], image[1:, 1:]]
    table = jnp.concatenate(corners, axis=-1).reshape(height * width, 4 * channels)
    taken = jnp.take(table, row * width + column, axis=0, mode="clip")
    upper_left, upper_right, lower_left, lower_right = jnp.split(taken, 4, axis=-1)
    below, right = below[..., None], right[..., None]
    upper = upper_left * (1 - right) + upper_right * right
    lower = lower_left * (1 - right) + lower_right * right
    return upper * (1 - below) + lower * below


def _neighbors(at: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """The smaller of the two pixels around each position, int32, and the weight of the one behind it.

    Beyond an edge the two are mirrored: in reverse order, or both the edge pixel, which then has all the weight.
    """
    floor = jnp.floor(at)
    first = floor.astype(jnp.int32)
    here, there = reflect(first, size), reflect(first + 1, size)
    fraction = at - floor
    weight = jnp.where(there > here, fraction, jnp.where(there < here, 1 - fraction, jnp.zeros_like(at)))
    return jnp.minimum(here, there), weight
