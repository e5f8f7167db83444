"""A denoiser: what photographs look like, as a function that removes white noise of any strength from images."""

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.priors.unet import DenoiserConfig, Weights, apply_unet


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Denoiser:
    """A denoiser with its weights: the expected image, given a noisy one.

    Args:
      config: its architecture.
      weights: arrays by name, as `init_weights` makes them.

    >>> from featviz.priors.unet import init_weights
    >>> config = DenoiserConfig(widths=(8, 16), embedding=8)
    >>> weights = jax.jit(init_weights, static_argnums=1)(jax.random.key(0), config)
    >>> jax.eval_shape(Denoiser(config, weights), jnp.ones((10, 12, 3)), 0.1).shape
    (10, 12, 3)
    """

    config: DenoiserConfig = field(metadata={"static": True})
    weights: Weights

    def __call__(self, images: Float[Array, "*n h w c"], sigma: Any) -> Float[Array, "*n h w c"]:
        return denoise(self.config, self.weights, images, sigma)


def weight_count(weights: Weights) -> int:
    """The number of a denoiser's parameters.

    >>> weight_count({"a/kernel": jnp.ones((3, 2)), "a/bias": jnp.ones(2)})
    8
    """
    return sum(math.prod(array.shape) for array in weights.values())


def denoise(
    config: DenoiserConfig, weights: Weights, images: Float[Array, "*n h w c"], sigma: Any, *, dtype: Any = jnp.float32
) -> Float[Array, "*n h w c"]:
    """The expected image x, given y = x + sigma * normal: c_skip y + c_out F(c_in y, log(sigma) / 4).

    Args:
      config: the architecture.
      weights: its weights.
      images: y, one image or a batch of any size; x is in [0,1].
      sigma: the noise's standard deviation in units of the image, a number or one for each image.
      dtype: in which the convolutions are computed.

    References:
      Karras et al. 2022, Elucidating the design space of diffusion-based generative models, table 1.

    >>> from featviz.priors.unet import init_weights
    >>> config = DenoiserConfig(widths=(8,), embedding=8, mean=0.5, deviation=0.3)
    >>> weights = jax.jit(init_weights, static_argnums=1)(jax.random.key(0), config)
    >>> run = jax.jit(denoise, static_argnums=0)
    >>> round(float(run(config, weights, jnp.ones((4, 4, 3)), 0.4)[0, 0, 0]), 3)  # 0.5 + 0.5 * .09 / (.09 + .16)
    0.68
    """
    batch = images.reshape(-1, *images.shape[-3:])
    levels = jnp.broadcast_to(jnp.asarray(sigma, jnp.float32).reshape(-1), batch.shape[:1])
    centered = batch - config.mean
    skip, out, scale = preconditioning(levels[:, None, None, None], config.deviation)
    raw = apply_unet(config, weights, scale * centered, levels, dtype=dtype)
    return (config.mean + skip * centered + out * raw).reshape(images.shape)


def preconditioning(sigma: Float[Array, "..."], deviation: float) -> tuple[Any, Any, Any]:
    """c_skip, c_out and c_in: the network's input and its target have variance 1 at every noise level.

    Args:
      sigma: noise levels.
      deviation: standard deviation of the images, sigma_data.
    """
    total = jnp.sqrt(sigma**2 + deviation**2)
    return (deviation / total) ** 2, sigma * deviation / total, 1 / total
