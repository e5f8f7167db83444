"""An image as waves: their frequencies, and the image with each of them scaled."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def frequencies(height: int, width: int) -> Float[np.ndarray, "h f"]:
    """The frequency of each wave of `rfft2`, in cycles a pixel.

    >>> frequencies(2, 4).round(2).tolist()
    [[0.0, 0.25, 0.5], [0.5, 0.56, 0.71]]
    """
    return np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])


def scale_waves(images: Float[Array, "n h w c"], shares: Float[Array, "h f"]) -> Float[Array, "n h w c"]:
    """Images with each wave as large as its share says.

    Args:
      images: of any height and width.
      shares: by what each wave of `rfft2` is multiplied, float32.

    >>> halved = scale_waves(jnp.ones((1, 2, 4, 1)), jnp.full((2, 3), 0.5))
    >>> halved.shape, round(float(halved[0, 0, 0, 0]), 3)
    ((1, 2, 4, 1), 0.5)
    """
    waves = jnp.fft.rfft2(images, axes=(1, 2)) * shares.astype(jnp.complex64)[None, :, :, None]
    return jnp.fft.irfft2(waves, s=images.shape[1:3], axes=(1, 2))
