"""Images drawn from a denoiser alone: the deterministic sampler of EDM."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray


def noise_levels(count: int, *, largest: float = 5.0, smallest: float = 0.01) -> Float[np.ndarray, " count"]:
    """Noise levels from the largest to the smallest, closer together at the small end: rho = 7 of Karras et al. 2022.

    Args:
      count: how many.
      largest: at which an image is nothing but noise.
      smallest: below which noise is not seen.

    >>> noise_levels(3).round(2).tolist()
    [5.0, 0.44, 0.01]
    """
    ends = np.array([largest, smallest]) ** (1 / 7)
    return (ends[0] + np.linspace(0, 1, count) * (ends[1] - ends[0])) ** 7


def sample_images(
    key: PRNGKeyArray,
    denoiser: Callable[[Array, Any], Array],
    shape: tuple[int, ...],
    *,
    levels: int = 40,
    mean: float = 0.45,
) -> Float[Array, "n h w c"]:
    """Draws images: Heun steps along dx/dsigma = (x - D(x, sigma)) / sigma from noise to an image.

    Args:
      key: of the noise that they begin with.
      denoiser: D, of a batch and a noise level for each image; jitted, since it is called twice a level.
      shape: of the batch, (n, h, w, c).
      levels: how many noise levels.
      mean: of the images that the denoiser knows.

    References:
      Karras et al. 2022, Elucidating the design space of diffusion-based generative models, algorithm 1.
    """
    sigmas = [float(sigma) for sigma in noise_levels(levels)]
    x = mean + sigmas[0] * jax.random.normal(key, shape)
    for here, there in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        derivative = (x - denoiser(x, jnp.full(shape[:1], here))) / here
        ahead = x + (there - here) * derivative
        if there:
            second = (ahead - denoiser(ahead, jnp.full(shape[:1], there))) / there
            ahead = x + (there - here) * (derivative + second) / 2
        x = ahead
    return jnp.clip(x, 0, 1)
