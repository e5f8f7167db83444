"""Regularization by denoising: an ascent that also goes where a denoiser would have the picture."""

from dataclasses import dataclass

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.priors.base import Denoise, Images, Prior, noise_level, unit


@dataclass(frozen=True)
class Denoised(Prior):
    """The gradient g becomes (1 - natural) unit(g) + natural unit(D(x + sigma n, sigma) - x).

    unit(v) is v over its root mean square: the balance does not depend on how steep the objective is. n is normal noise
    of each step's own; sigma falls log-linearly from `largest` to `smallest`. D is not differentiated: at its optimum
    D(y, sigma) - y is sigma^2 times the gradient of the log-density of noisy images (Tweedie's formula).

    Args:
      natural: the denoiser's share, 0 to 1; 0 leaves it out.
      file: of `write_prior`; None for featviz's own.
      largest: the noise level of the first step, in units of the image.
      smallest: that of the last.

    References:
      Romano, Elad and Milanfar 2017, The little engine that could: regularization by denoising (RED).

    >>> Denoised(natural=0.0).is_idle
    True
    """

    natural: float = 0.3
    largest: float = 0.3
    smallest: float = 0.05

    @property
    def is_idle(self) -> bool:
        return self.natural == 0

    def direct(
        self, key: PRNGKeyArray, denoise: Denoise, images: Images, gradient: Images, progress: Float[Array, ""]
    ) -> Images:
        sigma = noise_level(self.largest, self.smallest, progress)
        noise_key, denoise_key = jax.random.split(key)
        noisy = images + sigma * jax.random.normal(noise_key, images.shape)
        step = denoise(denoise_key, noisy, sigma) - images
        return (1 - self.natural) * unit(gradient) + self.natural * unit(step)
