"""An alpha channel, optimized with the image: what the objective does not need becomes transparent."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from featviz.parameterizations.base import Fourier, Parameterization, Shape

FOURIER, GRAY_FOURIER = Fourier(), Fourier(decorrelate=False)


@dataclass(frozen=True)
class Alpha:
    """An image and its alpha, (n, height, width, channels + 1), from two parameterizations (Mordvintsev et al. 2018).

    The transform `Background` lays it over random noise in each step, and the objective is multiplied by
    1 - mean(alpha), so that alpha is where it pays. Params: a pair.

    >>> both = Alpha(Fourier())
    >>> both.to_image(both.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3)).shape
    (1, 8, 9, 4)
    """

    base: Parameterization = FOURIER
    alpha: Parameterization = GRAY_FOURIER

    def init(self, key: jax.Array, shape: Shape) -> tuple[Any, Any]:
        first, second = jax.random.split(key)
        return self.base.init(first, shape), self.alpha.init(second, (*shape[:3], 1))

    def to_image(self, params: tuple[Any, Any], shape: Shape) -> jax.Array:
        image = self.base.to_image(params[0], shape)
        return jnp.concatenate([image, self.alpha.to_image(params[1], (*shape[:3], 1))], axis=-1)

    def from_image(self, image: jax.Array) -> tuple[Any, Any]:
        """A photograph that is half transparent everywhere."""
        return self.base.from_image(image), self.alpha.from_image(jnp.full((*image.shape[:3], 1), 0.5, jnp.float32))
