"""Filters of images, (n, height, width, channels): Gaussian, bilateral, the Laplacian pyramid."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.optimizers import Schedule

# The 5-tap binomial kernel of Burt and Adelson 1983.
BINOMIAL = np.array([1.0, 4.0, 6.0, 4.0, 1.0], np.float32) / 16.0


def gaussian_blur(
    image: Float[Array, "n h w c"], sigma: Float[Array, ""] | float, *, radius: int
) -> Float[Array, "n h w c"]:
    """Convolution with exp(-d^2 / (2 sigma^2)), normalized; edges are mirrored.

    Args:
      image: the images.
      sigma: the width in pixels, which may be traced; 0 does not blur.
      radius: where the kernel is cut, in pixels; scipy.ndimage's gaussian_filter cuts at round(4 sigma).

    >>> gaussian_blur(jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(1.0), 0.5, radius=2)[0, 2, :, 0].round(2)
    Array([0.  , 0.08, 0.62, 0.08, 0.  ], dtype=float32)
    """
    distance = jnp.arange(-radius, radius + 1, dtype=jnp.float32)
    kernel = jnp.exp(-0.5 * jnp.square(distance / jnp.maximum(sigma, 1e-4)))
    kernel = kernel / jnp.sum(kernel)
    return _convolve(_convolve(image, kernel, radius, axis=1), kernel, radius, axis=2)


def scheduled_blur(
    image: Float[Array, "n h w c"], sigma: Schedule, progress: Float[Array, ""] | float
) -> Float[Array, "n h w c"]:
    """A Gaussian blur whose width follows a schedule, cut at 4 times the largest width.

    >>> from featviz.optimizers import Constant
    >>> scheduled_blur(jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(1.0), Constant(0.5), 0.0)[0, 2, :, 0].round(2)
    Array([0.  , 0.08, 0.62, 0.08, 0.  ], dtype=float32)
    """
    return gaussian_blur(
        image, sigma(jnp.asarray(progress, jnp.float32)), radius=max(1, int(4.0 * sigma.maximum + 0.5))
    )


def _convolve(
    image: Float[Array, "n h w c"], kernel: Float[Array, " k"], radius: int, *, axis: int
) -> Float[Array, "n h w c"]:
    """A symmetric kernel along one axis, as a sum of shifted copies: its rounding does not depend on the batch."""
    size = image.shape[axis]
    # jnp.pad mirrors as often as a small image needs it.
    widths = [(radius, radius) if dimension == axis else (0, 0) for dimension in range(image.ndim)]
    padded = jnp.pad(image, widths, mode="symmetric")
    parts = [kernel[tap] * jax.lax.slice_in_dim(padded, tap, tap + size, axis=axis) for tap in range(2 * radius + 1)]
    return sum(parts[1:], start=parts[0])


def bilateral(
    image: Float[Array, "n h w c"], *, sigma_spatial: float, sigma_color: float, radius: int
) -> Float[Array, "n h w c"]:
    """The mean of each pixel's neighbors, weighted by distance and by likeness of color: grain goes, edges stay.

    weight(p, q) = exp(-|p - q|^2 / (2 sigma_spatial^2)) * exp(-|x_p - x_q|^2 / (2 sigma_color^2)), x a color as one
    vector (Tomasi and Manduchi 1998).

    Args:
      image: the images; edges are mirrored.
      sigma_spatial: the width in pixels.
      sigma_color: the width in color, in the image's range.
      radius: the farthest neighbors, in pixels.

    >>> step = jnp.where(jnp.arange(6) < 3, 0.0, 1.0)[None, None, :, None]
    >>> bilateral(step, sigma_spatial=2.0, sigma_color=0.05, radius=2)[0, 0, :, 0].round(3).tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    """
    height, width = image.shape[1:3]
    padded = jnp.pad(image, [(0, 0), (radius, radius), (radius, radius), (0, 0)], mode="symmetric")
    total, weights = jnp.zeros_like(image), jnp.zeros_like(image[..., :1])
    for down in range(2 * radius + 1):
        for right in range(2 * radius + 1):
            other = padded[:, down : down + height, right : right + width]
            near = np.exp(-0.5 * ((down - radius) ** 2 + (right - radius) ** 2) / sigma_spatial**2)
            alike = jnp.exp(-0.5 / sigma_color**2 * jnp.sum(jnp.square(other - image), axis=-1, keepdims=True))
            weight = np.float32(near) * alike
            total, weights = total + weight * other, weights + weight
    return total / weights


def laplacian_split(image: Float[Array, "n h w c"], levels: int) -> list[Float[Array, "n h2 w2 c"]]:
    """The bands of a Laplacian pyramid, the finest first and the coarse rest last (Burt and Adelson 1983).

    Down: the binomial kernel, every second pixel. Up: its transpose, times 4. What is taken from a band is added to
    the next, so `laplacian_merge` restores the image.

    >>> [band.shape[1] for band in laplacian_split(jnp.zeros((1, 12, 12, 3)), 2)]
    [12, 6, 3]
    """
    bands = []
    for _ in range(levels):
        low = _down(image)
        bands.append(image - _up(low, image.shape[1:3]))
        image = low
    return [*bands, image]


def laplacian_merge(bands: list[Float[Array, "n h2 w2 c"]]) -> Float[Array, "n h w c"]:
    """The image that `laplacian_split` has taken apart.

    >>> image = jnp.arange(30.0).reshape(1, 5, 6, 1)
    >>> bool(jnp.allclose(laplacian_merge(laplacian_split(image, 2)), image, atol=1e-5))
    True
    """
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = _up(image, band.shape[1:3]) + band
    return image


def normalize_laplacian(image: Float[Array, "n h w c"], levels: int, eps: float) -> Float[Array, "n h w c"]:
    """Divides each Laplacian band by max(its root mean square, eps), over each image.

    >>> image = jnp.tile(jnp.array([3.0, -3.0]), 8).reshape(1, 1, 16, 1)
    >>> normalize_laplacian(image, 1, 1e-10)[0, 0, 6:10, 0].round().tolist()
    [1.0, -1.0, 1.0, -1.0]
    """

    def normalize(band: Float[Array, "n h2 w2 c"]) -> Float[Array, "n h2 w2 c"]:
        size = jnp.sqrt(jnp.mean(jnp.square(band), axis=(1, 2, 3), keepdims=True))
        return band / jnp.maximum(size, eps)

    return laplacian_merge([normalize(band) for band in laplacian_split(image, levels)])


def _padding_before(size: int) -> int:
    """How many zeros a SAME convolution, 5 taps and stride 2, puts before `size` pixels, as published."""
    return (2 * (-(-size // 2) - 1) + 5 - size) // 2


def _down(image: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Half the size, rounded up, by the binomial kernel; zeros beyond the edges."""
    for axis in (1, 2):
        size = image.shape[axis]
        widths = [(_padding_before(size), 4) if dimension == axis else (0, 0) for dimension in range(image.ndim)]
        padded = jnp.pad(image, widths)
        taps = [BINOMIAL[tap] * jax.lax.slice_in_dim(padded, tap, tap + size, stride=2, axis=axis) for tap in range(5)]
        image = sum(taps[1:], start=taps[0])
    return image


def _up(image: Float[Array, "n h w c"], size: tuple[int, ...]) -> Float[Array, "n h2 w2 c"]:
    """To (height, width): 4 times the transpose of `_down`."""
    for axis, length in ((1, size[0]), (2, size[1])):
        shape = list(image.shape)
        shape[axis] *= 2
        # Zeros between the pixels, then the kernel.
        spread = jnp.stack([image, jnp.zeros_like(image)], axis=axis + 1).reshape(shape)
        before = 4 - _padding_before(length)
        padded = jnp.pad(spread, [(before, 4) if dimension == axis else (0, 0) for dimension in range(image.ndim)])
        taps = [2 * BINOMIAL[tap] * jax.lax.slice_in_dim(padded, tap, tap + length, axis=axis) for tap in range(5)]
        image = sum(taps[1:], start=taps[0])
    return image
