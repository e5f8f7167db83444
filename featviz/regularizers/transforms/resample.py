"""Resampling for the geometric transforms: an affine map, bilinear between pixels, and crops of any size."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def reflect(position: Int[Array, "*s"], size: int) -> Int[Array, "*s"]:
    """Mirrors positions beyond an edge back inside, edge pixel included: ... 1 0 | 0 1 2 ... (half-sample symmetric).

    >>> reflect(jnp.array([-1, 0, 3, 4]), 4).tolist()
    [0, 0, 3, 3]
    """
    position = jnp.mod(position, 2 * size)
    return jnp.where(position < size, position, 2 * size - 1 - position)


def affine(
    image: Float[Array, "h w c"], matrix: Float[Array, "2 2"], shift: Float[Array, " 2"]
) -> Float[Array, "h w c"]:
    """Resamples an image under an affine map about its center: out(p) = image(matrix @ (p - c) + c + shift).

    Args:
      image: one image.
      matrix: from output to input positions, (row, column), about the center c.
      shift: in pixels, (row, column).

    Returns:
      The image, bilinear between pixels; positions beyond an edge are mirrored back inside.

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
    # Computed once. Where XLA computes them anew for the gradient it rounds positions otherwise, and at a whole number
    # one side of a pixel goes with the weight of the other.
    index, below, right = jax.lax.optimization_barrier((row * width + column, below, right))

    # The four neighbors side by side: one gather, and one scatter in the gradient, in place of four.
    image = jnp.concatenate([image, image[-1:]])
    image = jnp.concatenate([image, image[:, -1:]], axis=1)
    corners = [image[:-1, :-1], image[:-1, 1:], image[1:, :-1], image[1:, 1:]]
    table = jnp.concatenate(corners, axis=-1).reshape(height * width, 4 * channels)
    taken = jnp.take(table, index, axis=0, mode="clip")
    upper_left, upper_right, lower_left, lower_right = jnp.split(taken, 4, axis=-1)
    below, right = below[..., None], right[..., None]
    upper = upper_left * (1 - right) + upper_right * right
    lower = lower_left * (1 - right) + lower_right * right
    return upper * (1 - below) + lower * below


def crop_and_resize(
    image: Float[Array, "h w c"], side: Float[Array, ""], center: Float[Array, " 2"], output_size: int | None
) -> Float[Array, "h2 w2 c"]:
    """A part of an image, resampled linearly with antialiasing.

    Args:
      image: one image.
      side: the part's side, as a share of the image's.
      center: the part's center, (row, column), as a share of the image's sides.
      output_size: pixels a side of the output; None keeps the image's own size.

    >>> image = jnp.arange(16.0).reshape(4, 4, 1)
    >>> crop_and_resize(image, jnp.float32(0.5), jnp.array([0.25, 0.25]), 2)[..., 0].tolist()
    [[0.0, 1.0], [4.0, 5.0]]
    """
    height, width, channels = image.shape
    size = (height, width) if output_size is None else (output_size, output_size)
    scale = jnp.asarray(size, jnp.float32) / (side * jnp.asarray([height, width], jnp.float32))
    corner = (center - side / 2) * jnp.asarray([height, width], jnp.float32)
    shape = (*size, channels)
    return jax.image.scale_and_translate(image, shape, (0, 1), scale, -corner * scale, "linear", antialias=True)


def _neighbors(position: Float[Array, "h w"], size: int) -> tuple[Int[Array, "h w"], Float[Array, "h w"]]:
    """The first of the two pixels around each position, and the weight of the second.

    Beyond an edge the two are mirrored: in reverse order, or both the edge pixel, which then has all the weight.
    """
    floor = jnp.floor(position)
    first = floor.astype(jnp.int32)
    before, after = reflect(first, size), reflect(first + 1, size)
    fraction = position - floor
    weight = jnp.where(after > before, fraction, jnp.where(after < before, 1 - fraction, jnp.zeros_like(position)))
    return jnp.minimum(before, after), weight
