"""Gaussian noise on every value."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.common.threefry import normal
from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class GaussianNoise(Transform):
    """Adds independent normal noise to every value, x + N(0, sd(progress)).

    Args:
      sd: the standard deviation at the start, in the image's range.
      end_sd: the standard deviation at the end, reached linearly; None keeps `sd`.

    References:
      Fel et al. 2023 (sd .08, constant).

    >>> import jax
    >>> noise = GaussianNoise(0.1, end_sd=0.0)
    >>> bool((noise(jax.random.key(0), jnp.ones((2, 2, 3)), 1.0) == 1.0).all())
    True
    """

    adds_noise: ClassVar[bool] = True
    sd: float
    end_sd: float | None = None

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h w c"]:
        end_sd = self.sd if self.end_sd is None else self.end_sd
        sd = self.sd + (end_sd - self.sd) * jnp.asarray(progress, image.dtype)
        return image + sd * normal(key, image.shape, dtype=image.dtype)
