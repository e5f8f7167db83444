"""Filters of images of shape (n, height, width, channels): Gaussian, bilateral, the Laplacian pyramid."""

import jax
import jax.numpy as jnp
import numpy as np

# The 5-tap binomial kernel of Burt and Adelson 1983.
BINOMIAL = np.array([1.0, 4.0, 6.0, 4.0, 1.0], np.float32) / 16.0


def gaussian_blur(image: jax.Array, sigma: jax.Array | float, *, radius: int) -> jax.Array:
    """Convolution with exp(-d^2 / (2 sigma^2)), normalized, cut at `radius` pixels; mirrored edges; (n, h, w, c).

    `sigma` may be traced, `radius` may not: scipy.ndimage's gaussian_filter cuts at round(4 sigma). Sigma 0 is no blur.

    >>> gaussian_blur(jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(1.0), 0.5, radius=2)[0, 2, :, 0].round(2)
    Array([0.  , 0.08, 0.62, 0.08, 0.  ], dtype=float32)
    """
    distance = jnp.arange(-radius, radius + 1, dtype=jnp.float32)
    kernel = jnp.exp(-0.5 * jnp.square(distance / jnp.maximum(sigma, 1e-4)))
    kernel = kernel / jnp.sum(kernel)
    return _convolve(_convolve(image, kernel, radius, axis=1), kernel, radius, axis=2)


def _convolve(image: jax.Array, kernel: jax.Array, radius: int, *, axis: int) -> jax.Array:
    """A symmetric kernel along one axis, as a sum of shifted copies: it rounds the same among any neighbors."""
    size = image.shape[axis]
    # jnp.pad mirrors as often as a small image needs it.
    pads = [(radius, radius) if each == axis else (0, 0) for each in range(image.ndim)]
    padded = jnp.pad(image, pads, mode="symmetric")
    parts = [kernel[tap] * jax.lax.slice_in_dim(padded, tap, tap + size, axis=axis) for tap in range(2 * radius + 1)]
    return sum(parts[1:], start=parts[0])


def bilateral(image: jax.Array, *, space: float, value: float, radius: int) -> jax.Array:
    """Each pixel the mean of its neighbors, weighted by nearness and likeness (Tomasi and Manduchi 1998).

    weight(p, q) = exp(-|p - q|^2 / (2 space^2)) * exp(-|x_p - x_q|^2 / (2 value^2)), colors as one vector: grain
    goes, edges stay.

    >>> step = jnp.where(jnp.arange(6) < 3, 0.0, 1.0)[None, None, :, None]
    >>> bilateral(step, space=2.0, value=0.05, radius=2)[0, 0, :, 0].round(3).tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    """
    height, width = image.shape[1:3]
    padded = jnp.pad(image, [(0, 0), (radius, radius), (radius, radius), (0, 0)], mode="symmetric")
    total, weights = jnp.zeros_like(image), jnp.zeros_like(image[..., :1])
    for down in range(2 * radius + 1):
        for right in range(2 * radius + 1):
            other = padded[:, down : down + height, right : right + width]
            near = np.exp(-0.5 * ((down - radius) ** 2 + (right - radius) ** 2) / space**2)
            alike = jnp.exp(-0.5 / value**2 * jnp.sum(jnp.square(other - image), axis=-1, keepdims=True))
            weight = np.float32(near) * alike
            total, weights = total + weight * other, weights + weight
    return total / weights


def laplacian_split(image: jax.Array, levels: int) -> list[jax.Array]:
    """The bands of a Laplacian pyramid, the finest first and the coarse rest last (Burt and Adelson 1983).

    Down: the binomial kernel, every second pixel. Up: the transpose of that, times 4. What is taken away from a band
    is added to the next, so `laplacian_merge` gives the image again.

    >>> [band.shape[1] for band in laplacian_split(jnp.zeros((1, 12, 12, 3)), 2)]
    [12, 6, 3]
    """
    bands = []
    for _ in range(levels):
        low = _down(image)
        bands.append(image - _up(low, image.shape[1:3]))
        image = low
    return [*bands, image]


def laplacian_merge(bands: list[jax.Array]) -> jax.Array:
    """The image of its bands.

    >>> image = jnp.arange(30.0).reshape(1, 5, 6, 1)
    >>> bool(jnp.allclose(laplacian_merge(laplacian_split(image, 2)), image, atol=1e-5))
    True
    """
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = _up(image, band.shape[1:3]) + band
    return image


def normalize_laplacian(image: jax.Array, levels: int, floor: float) -> jax.Array:
    """The image whose Laplacian bands are each divided by max(root mean square, `floor`), over each image.

    >>> image = jnp.tile(jnp.array([3.0, -3.0]), 8).reshape(1, 1, 16, 1)
    >>> normalize_laplacian(image, 1, 1e-10)[0, 0, 6:10, 0].round().tolist()
    [1.0, -1.0, 1.0, -1.0]
    """

    def normalize(band: jax.Array) -> jax.Array:
        size = jnp.sqrt(jnp.mean(jnp.square(band), axis=(1, 2, 3), keepdims=True))
        return band / jnp.maximum(size, floor)

    return laplacian_merge([normalize(band) for band in laplacian_split(image, levels)])


def _before(size: int) -> int:
    """How many zeros the published programs' SAME convolution, 5 taps and stride 2, puts before `size` pixels."""
    return (2 * (-(-size // 2) - 1) + 5 - size) // 2


def _down(image: jax.Array) -> jax.Array:
    """Half the size, rounded up, by the binomial kernel; zeros beyond the edges."""
    for axis in (1, 2):
        size = image.shape[axis]
        pads = [(_before(size), 4) if each == axis else (0, 0) for each in range(image.ndim)]
        padded = jnp.pad(image, pads)
        taps = [BINOMIAL[tap] * jax.lax.slice_in_dim(padded, tap, tap + size, stride=2, axis=axis) for tap in range(5)]
        image = sum(taps[1:], start=taps[0])
    return image


def _up(image: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """To (height, width): 4 times the transpose of `_down`."""
    for axis, length in ((1, size[0]), (2, size[1])):
        shape = list(image.shape)
        shape[axis] *= 2
        # Zeros between the pixels, then the kernel.
        spread = jnp.stack([image, jnp.zeros_like(image)], axis=axis + 1).reshape(shape)
        padded = jnp.pad(spread, [(4 - _before(length), 4) if each == axis else (0, 0) for each in range(image.ndim)])
        taps = [2 * BINOMIAL[tap] * jax.lax.slice_in_dim(padded, tap, tap + length, axis=axis) for tap in range(5)]
        image = sum(taps[1:], start=taps[0])
    return image
