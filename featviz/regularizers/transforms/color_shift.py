"""Random shifts and scales of color."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class ColorShift(Transform):
    """Each channel shifted and scaled: (x - mu) / sigma, mu from U(-mean, mean), sigma = e^U(-log_sd, log_sd).

    Args:
      mean: the largest shift, in the image's range.
      log_sd: the largest logarithm of the scale.

    References:
      Ghiasi et al. 2022, who call it ColorShift.

    >>> ColorShift(mean=0.5)(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (8, 9, 3)
    """

    mean: float = 1.0
    log_sd: float = 1.0

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h w c"]:
        mean_key, sd_key = jax.random.split(key)
        shape = (1, 1, image.shape[-1])
        mu = jax.random.uniform(mean_key, shape, image.dtype, -self.mean, self.mean)
        sigma = jnp.exp(jax.random.uniform(sd_key, shape, image.dtype, -self.log_sd, self.log_sd))
        return (image - mu) / sigma
