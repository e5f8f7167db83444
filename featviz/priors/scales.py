"""Images at half their size, and what a denoiser says of them at their own."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.priors.base import Images


def halvings(shape: tuple[int, ...], side: int) -> int:
    """How often images are halved until the geometric mean of their sides is nearest to `side`; never enlarged.

    Args:
      shape: (n, height, width, channels).
      side: in pixels.

    >>> [halvings((1, size, size, 3), 128) for size in (16, 128, 181, 182, 224, 363, 512)]
    [0, 0, 0, 1, 1, 2, 2]
    """
    own = math.sqrt(shape[1] * shape[2])
    return max(0, round(math.log2(own / side)))


def reduce_images(images: Images, times: int) -> Images:
    """Means of blocks of 2^times pixels a side; the last row and column are repeated where a block is not full.

    >>> reduce_images(jnp.arange(6.0).reshape(1, 2, 3, 1), 1)[0, 0, :, 0].tolist()
    [2.0, 3.5]
    """
    block = 2**times
    rows, columns = -images.shape[1] % block, -images.shape[2] % block
    padded = jnp.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
    n, height, width, channels = padded.shape
    blocks = padded.reshape(n, height // block, block, width // block, block, channels)
    return jnp.mean(blocks, axis=(2, 4))


def enlarge_images(images: Images, times: int, shape: tuple[int, ...]) -> Images:
    """Images of reduced size at their own, interpolated linearly between the centers of blocks.

    Args:
      images: as `reduce_images` makes them.
      times: how often they were halved.
      shape: of the images before, (n, height, width, channels).

    >>> enlarge_images(jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1), 1, (1, 1, 3, 1))[0, 0, :, 0].tolist()
    [0.0, 1.0, 3.0]
    """
    for _ in range(times):
        images = _double(_double(images, 1), 2)
    return images[:, : shape[1], : shape[2]]


def _double(images: Images, axis: int) -> Float[Array, "n h2 w2 c"]:
    """Twice as many values along an axis; a quarter of each is its neighbor's, at the edges its own."""
    last = images.shape[axis] - 1
    first, rest = jnp.split(images, [1], axis=axis)
    inner, end = jnp.split(images, [last], axis=axis)
    before = jnp.concatenate([first, inner], axis=axis)
    after = jnp.concatenate([rest, end], axis=axis)
    pairs = jnp.stack([0.75 * images + 0.25 * before, 0.75 * images + 0.25 * after], axis=axis + 1)
    return pairs.reshape(*images.shape[:axis], 2 * images.shape[axis], *images.shape[axis + 1 :])
