"""An alpha channel, optimized with the image: what the objective does not need becomes transparent."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape
from featviz.parameterizations.fourier import Fourier

FOURIER, GRAY_FOURIER = Fourier(), Fourier(decorrelate=False)


@dataclass(frozen=True)
class Alpha(Parameterization):
    """An image and its alpha, (n, height, width, channels + 1), each with its own parameterization.

    The transform `Background` lays the image over random noise in each step, and the objective is multiplied by
    1 - mean(alpha), so that alpha is high only where the objective gains by it. Params: a pair.

    Args:
      base: the parameterization of the colors.
      alpha: that of alpha, of one channel.

    References:
      Mordvintsev et al. 2018.

    >>> both = Alpha(Fourier())
    >>> both.to_image(both.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3)).shape
    (1, 8, 9, 4)
    """

    base: Parameterization = FOURIER
    alpha: Parameterization = GRAY_FOURIER

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Any, Any]:
        base_key, alpha_key = jax.random.split(key)
        return self.base.init(base_key, shape), self.alpha.init(alpha_key, (*shape[:3], 1))

    def to_image(self, params: tuple[Any, Any], shape: Shape) -> Float[Array, "n h w c2"]:
        image = self.base.to_image(params[0], shape)
        return jnp.concatenate([image, self.alpha.to_image(params[1], (*shape[:3], 1))], axis=-1)

    def from_image(self, image: Float[Array, "n h w c"]) -> tuple[Any, Any]:
        """A photograph that is half transparent everywhere."""
        return self.base.from_image(image), self.alpha.from_image(jnp.full((*image.shape[:3], 1), 0.5, jnp.float32))
