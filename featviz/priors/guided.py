"""Guided sampling: an image is drawn from a denoiser, and each estimate of it is moved up the objective."""

from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.priors.base import Denoise, Images, Moment, Prior, noise_level
from featviz.priors.branches import either
from featviz.priors.scales import enlarge_images, halvings, reduce_images
from featviz.priors.soft_gradient import soft_gradient


@dataclass(frozen=True)
class Guided(Prior):
    """Each step is one noise level sigma, from pure noise to none; the picture p is the estimate of the clean image.

    x = p + sigma (sqrt(1 - r) e + sqrt(r) n), n normal noise of the step's own; p = D(x, sigma); e = (x - p) / sigma;
    then p is moved by strongest (1 - natural) sigma / (sigma + reference) u, u the objective's gradient at p through
    the network alone, its small shapes made as weak as in photographs, of root mean square 1 (`soft_gradient`).

    At levels above `fine`, which decide on large shapes, D has the noisy images halved until their sides are near
    `side`, and its estimate is enlarged: figures are as large as in the denoiser's training. A mean of four pixels has
    half the noise.

    Args:
      natural: 0 to 1, where the objective has no part.
      file: of `write_prior`; None for featviz's own.
      largest: the noise level of the first step, in units of the image; levels fall log-linearly.
      smallest: that of the last.
      renewed: r, the share of the noise's variance that is drawn anew in each step.
      strongest: the root mean square of a step's move at high noise and `natural` 0.
      reference: the noise level at which moves have half of that.
      fine: the noise level from which on the denoiser sees the images at their own size.
      side: pixels a side near which it sees them before.

    References:
      Karras et al. 2022 (the denoiser and stochastic sampling); Dhariwal and Nichol 2021 (guidance by a classifier).

    >>> Guided().from_noise
    True
    """

    largest: float = 2.4
    smallest: float = 0.02
    renewed: float = 0.3
    strongest: float = 0.096
    reference: float = 0.2
    fine: float = 0.15
    side: int = 90

    from_noise: ClassVar[bool] = True

    def begin(self, key: PRNGKeyArray, shape: tuple[int, ...]) -> Images:
        return jax.random.normal(key, shape)

    def renew(
        self, key: PRNGKeyArray, denoise: Denoise, images: Images, carried: Images, now: Moment
    ) -> tuple[Images, Images]:
        sigma = noise_level(self.largest, self.smallest, now.progress)
        noise_key, denoise_key = jax.random.split(key)
        fresh = jax.random.normal(noise_key, images.shape)
        noisy = images + sigma * ((1 - self.renewed) ** 0.5 * carried + self.renewed**0.5 * fresh)
        times = halvings(images.shape, self.side)

        def coarse(denoise: Denoise, key: PRNGKeyArray, noisy: Images, sigma: Float[Array, ""]) -> Images:
            seen = denoise(key, reduce_images(noisy, times), sigma / 2**times)
            return enlarge_images(seen, times, noisy.shape)

        def fine(denoise: Denoise, key: PRNGKeyArray, noisy: Images, sigma: Float[Array, ""]) -> Images:
            return denoise(key, noisy, sigma)

        operands = denoise, denoise_key, noisy, sigma
        estimate = either(sigma > self.fine, coarse, fine, *operands) if times else fine(*operands)
        return estimate, (noisy - estimate) / sigma

    def direct(
        self, key: PRNGKeyArray, denoise: Denoise, images: Images, gradient: Images, carried: Images, now: Moment
    ) -> tuple[Images, Images]:
        sigma = noise_level(self.largest, self.smallest, now.progress)
        size = self.strongest * (1 - self.natural) * sigma / (sigma + self.reference)
        return size * soft_gradient(gradient), carried
