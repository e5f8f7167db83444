"""A random background behind an image with an alpha channel."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations import Fourier
from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class Background(Transform):
    """An image over a random background: color * alpha + noise * (1 - alpha), alpha the last channel.

    The noise is smooth, sigmoid of a Gaussian field with a Fourier spectrum; what blends into one background shows
    against the next. Goes with the parameterization `Alpha`.

    Args:
      sd: the standard deviation of the noise's Fourier coefficients.
      decay: the exponent with which its amplitude falls with frequency.

    References:
      Mordvintsev et al. 2018 (.2 and 1.5).

    >>> import jax
    >>> Background()(jax.random.key(0), jax.numpy.ones((8, 9, 4)), 0.0).shape
    (8, 9, 3)
    """

    sd: float = 0.2
    decay: float = 1.5

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h w c2"]:
        height, width, channels = image.shape
        fourier = Fourier(sd=self.sd, decay=self.decay)
        shape = (1, height, width, channels - 1)
        noise = fourier.to_image(fourier.init(key, shape), shape)[0]
        alpha = image[..., -1:]
        return image[..., :-1] * alpha + noise * (1.0 - alpha)


def over_gray(image: Float[Array, "*n h w c"]) -> Float[Array, "*n h w c2"]:
    """An image with alpha over gray .5: what its score is measured on.

    >>> import jax
    >>> over_gray(jax.numpy.array([[[0.9, 0.9, 0.9, 0.0]]])).tolist()
    [[[0.5, 0.5, 0.5]]]
    """
    alpha = image[..., -1:]
    return image[..., :-1] * alpha + np.float32(0.5) * (1.0 - alpha)
