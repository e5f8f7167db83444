"""Regularization by denoising: an ascent that also goes where a denoiser would have the picture."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.errors import FeatvizError
from featviz.priors.base import Denoise, Images, Moment, Prior, noise_level, unit
from featviz.priors.branches import either
from featviz.priors.kept_noise import kept_noise
from featviz.priors.scales import enlarge_images, halvings, reduce_images

# The highest noise level of the last steps, in units of the lowest.
LAST = 4


@dataclass(frozen=True)
class Denoised(Prior):
    """The gradient g becomes (1 - natural) unit(g) + natural (r - mean(r) + brightness - mean(x)).

    r = (D(x + sigma n, sigma) - x) / sigma - k(n) is as large as the picture is unlike photographs, so that what is
    natural is left in peace. n is normal noise of each step's own, k(n) the part of it that a denoiser leaves
    (`kept_noise`), nearly all of the large shapes: its mean is zero, and with it pictures would wander to white and
    black areas. unit(g) is g over its root mean square: the balance does not depend on how steep the objective is.
    sigma is drawn anew in each step, log-uniformly, from `smallest` to a level that falls log-linearly from `largest`
    to four times `smallest`: high levels say what large shapes are like, low ones what fine detail is. D is not
    differentiated: at its optimum D(y, sigma) - y is sigma^2 times the gradient of the log-density of noisy images
    (Tweedie's formula). Hardly any unit minds the mean over all values, so that a slight push of the denoiser to one
    side at every step would run pictures to white: in its place the mean is drawn to that of photographs.

    Large pictures are halved, for r, until their sides are near `side`, and r is enlarged: objects are then as large as
    in the denoiser's training, and it takes a quarter of the time.

    Args:
      natural: the denoiser's share, 0 to 1; 0 leaves it out.
      file: of `write_prior`; None for featviz's own.
      largest: the highest noise level of the first steps, in units of the image.
      smallest: the lowest of all steps.
      brightness: of photographs, in [0,1].
      side: pixels a side near which the denoiser sees the picture.
      period: steps after which r is taken anew; in between it stays, since it changes little. At half the size it is a
        quarter of that, at least 1.

    Raises:
      FeatvizError: if `period` is below 1.

    References:
      Romano, Elad and Milanfar 2017, The little engine that could: regularization by denoising (RED).

    >>> Denoised(natural=0.0).is_idle
    True
    """

    natural: float = 0.2
    largest: float = 1.0
    smallest: float = 0.05
    brightness: float = 0.48
    side: int = 128
    period: int = 6

    def __post_init__(self) -> None:
        if self.period < 1:
            raise FeatvizError(f"`period` is {self.period}; expected 1 or more steps, such as 2")

    @property
    def is_idle(self) -> bool:
        return self.natural == 0

    def begin(self, key: PRNGKeyArray, shape: tuple[int, ...]) -> Images:
        return jnp.zeros(shape, jnp.float32)

    def direct(
        self, key: PRNGKeyArray, denoise: Denoise, images: Images, gradient: Images, carried: Images, now: Moment
    ) -> tuple[Images, Images]:
        def see(denoise: Denoise, key: PRNGKeyArray, images: Images, kept: Images, progress: Array) -> Images:
            return self._push(key, denoise, images, progress)

        def keep(denoise: Denoise, key: PRNGKeyArray, images: Images, kept: Images, progress: Array) -> Images:
            return kept

        # At half the size the denoiser takes a quarter of the time, and is asked four times as often.
        period = max(1, self.period // 4 ** halvings(images.shape, self.side))
        push = either(now.step % period == 0, see, keep, denoise, key, images, carried, now.progress)
        step = push + self.brightness - jnp.mean(images, axis=(1, 2, 3), keepdims=True)
        return (1 - self.natural) * unit(gradient) + self.natural * step, push

    def _push(self, key: PRNGKeyArray, denoise: Denoise, images: Images, progress: Float[Array, ""]) -> Images:
        """r - mean(r)."""
        noise_key, denoise_key, level_key = jax.random.split(key, 3)
        highest = noise_level(self.largest, LAST * self.smallest, progress)
        sigma = highest * (self.smallest / highest) ** jax.random.uniform(level_key)
        times = halvings(images.shape, self.side)
        seen = reduce_images(images, times)
        noise = jax.random.normal(noise_key, seen.shape)
        moved = (denoise(denoise_key, seen + sigma * noise, sigma) - seen) / sigma - kept_noise(noise, sigma)
        step = enlarge_images(moved, times, images.shape)
        return step - jnp.mean(step, axis=(1, 2, 3), keepdims=True)
