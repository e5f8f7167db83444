"""One step of a denoiser's training: crops, noise, the loss, its gradient, Adam, and the mean of the weights."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.priors.crops import CropSource, draw_crops
from featviz.priors.denoiser import preconditioning
from featviz.priors.unet import DenoiserConfig, Weights, apply_unet, init_weights

# Noise levels are log-normal: median .17, one in twenty above 1.2, where guided sampling begins.
LOG_MEAN, LOG_DEVIATION = -1.8, 1.2
LEAST, MOST = 0.01, 5.0
# Of Adam's means of the gradient and of its square.
BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class FitSettings:
    """How a denoiser is trained.

    Args:
      sizes: of the crops in pixels; each step takes the same number of pixels of each.
      batch: how many crops of the smallest size have the pixels of a step.
      rate: the learning rate at its highest.
      warmup: steps until it is reached; it falls to nothing by half a cosine.
      decay: of the kernels, relative to the rate (AdamW).
      norm: to which longer gradients are cut.
      average: the share of the mean of the weights that a step keeps.
      half: whether convolutions are computed in bfloat16.
      seed: of the first weights, the crops and the noise.
    """

    sizes: tuple[int, ...] = (64, 128)
    batch: int = 32
    rate: float = 2e-3
    warmup: int = 300
    decay: float = 1e-3
    norm: float = 1.0
    average: float = 0.999
    half: bool = False
    seed: int = 0

    def count(self, size: int) -> int:
        """How many crops of a size a step takes."""
        return max(1, round(self.batch / len(self.sizes) * (min(self.sizes) / size) ** 2))


class FitState(NamedTuple):
    """Where a training stands.

    Args:
      step: how many steps are done.
      weights: the weights.
      moments: Adam's means of the gradient and of its square.
      average: the mean of the weights over the last steps, which is what is kept.
    """

    step: Any
    weights: Weights
    moments: tuple[Weights, Weights]
    average: Weights


def init_state(config: DenoiserConfig, settings: FitSettings) -> FitState:
    """The state before the first step.

    Args:
      config: the architecture.
      settings: of the training.
    """
    weights = jax.jit(init_weights, static_argnums=1)(jax.random.key(settings.seed), config)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    return FitState(jnp.int32(0), weights, (zeros, zeros), weights)


def fit_step(
    sources: tuple[CropSource, ...], total: Any, state: FitState, config: DenoiserConfig, settings: FitSettings
) -> tuple[FitState, Float[Array, ""]]:
    """The state after one step more, and the loss.

    Args:
      sources: the photographs, for each size of `settings`.
      total: steps of the whole training, to which the learning rate falls.
      state: before the step.
      config: the architecture.
      settings: of the training.
    """
    batches = draw_batches(sources, state.step, config, settings)

    def loss_of(weights: Weights) -> Float[Array, ""]:
        losses = [jnp.mean(denoising_loss(config, weights, *batch, half=settings.half)) for batch in batches]
        return jnp.mean(jnp.stack(losses))

    loss, gradient = jax.value_and_grad(loss_of)(state.weights)
    # A step whose gradient is not finite changes nothing.
    norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(gradient)))
    finite = jnp.isfinite(norm)
    cut = jnp.where(finite, jnp.minimum(1, settings.norm / (norm + 1e-12)), 0)
    gradient = jax.tree.map(lambda leaf: jnp.where(finite, cut * leaf, 0), gradient)
    done = (state.step + 1).astype(jnp.float32)
    rate = jnp.where(finite, learning_rate(state.step, total, settings), 0)

    def move(weight: Array, first: Array, second: Array) -> Array:
        update = first / (1 - BETAS[0] ** done) / (jnp.sqrt(second / (1 - BETAS[1] ** done)) + 1e-8)
        decay = settings.decay if weight.ndim > 1 else 0.0
        return weight - rate * (update + decay * weight)

    means = tuple(
        jax.tree.map(lambda old, new, beta=beta, power=power: beta * old + (1 - beta) * new**power, own, gradient)
        for own, beta, power in zip(state.moments, BETAS, (1, 2), strict=True)
    )
    weights = jax.tree.map(move, state.weights, *means)
    keep = jnp.minimum(settings.average, (1 + state.step) / (10 + state.step))
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, state.average, weights)
    return FitState(state.step + 1, weights, means, average), loss


def draw_batches(
    sources: tuple[CropSource, ...], step: Any, config: DenoiserConfig, settings: FitSettings
) -> list[tuple[Array, Array, Array]]:
    """For each size of crops the images, the noise and the noise levels of a step.

    Args:
      sources: the photographs, for each size of `settings`.
      step: counted from 0.
      config: the architecture.
      settings: of the training.
    """
    keys = jax.random.split(jax.random.fold_in(jax.random.key(settings.seed + 1), step), len(sources))
    batches = []
    for own, source, size in zip(keys, sources, settings.sizes, strict=True):
        crop_key, level_key, noise_key = jax.random.split(own, 3)
        images = draw_crops(crop_key, source, settings.count(size), size, config.channels)
        noise = jax.random.normal(noise_key, images.shape)
        batches.append((images, noise, draw_levels(level_key, len(images))))
    return batches


def denoising_loss(
    config: DenoiserConfig,
    weights: Weights,
    images: Float[Array, "n h w c"],
    noise: Float[Array, "n h w c"],
    sigma: Float[Array, " n"],
    *,
    half: bool = False,
) -> Float[Array, " n"]:
    """The mean squared error of each denoised image over (c_out)^2: 1 for the best linear denoiser of white images.

    Args:
      config: the architecture.
      weights: its weights.
      images: without noise.
      noise: of standard deviation 1.
      sigma: the noise level of each image.
      half: whether convolutions are computed in bfloat16.
    """
    inputs, target = unet_task(config, images, noise, sigma)
    raw = apply_unet(config, weights, inputs, sigma, dtype=jnp.bfloat16 if half else jnp.float32)
    return jnp.mean((raw - target) ** 2, axis=(1, 2, 3))


def unet_task(
    config: DenoiserConfig, images: Float[Array, "n h w c"], noise: Float[Array, "n h w c"], sigma: Float[Array, " n"]
) -> tuple[Float[Array, "n h w c"], Float[Array, "n h w c"]]:
    """What the U-Net is given and what it is to say, both of variance 1 for white images.

    Args:
      config: the architecture.
      images: without noise.
      noise: of standard deviation 1.
      sigma: the noise level of each image.
    """
    levels = sigma[:, None, None, None]
    skip, out, scale = preconditioning(levels, config.deviation)
    centered = images - config.mean
    noisy = centered + levels * noise
    return scale * noisy, (centered - skip * noisy) / out


def draw_levels(key: PRNGKeyArray, count: int) -> Float[Array, " n"]:
    """Log-normal noise levels, one from each of `count` equally likely ranges, so that a batch has all strengths.

    Args:
      key: of the random numbers.
      count: how many.
    """
    shares = (jnp.arange(count, dtype=jnp.float32) + jax.random.uniform(key, (count,))) / count
    normal = jax.scipy.special.ndtri(jnp.clip(shares, 1e-4, 1 - 1e-4))
    return jnp.clip(jnp.exp(LOG_MEAN + LOG_DEVIATION * normal), LEAST, MOST)


def learning_rate(step: Any, total: Any, settings: FitSettings) -> Any:
    """The learning rate of a step: linear to its highest, from there half a cosine to a hundredth.

    Args:
      step: counted from 0.
      total: steps of the whole training.
      settings: of the training.

    >>> settings = FitSettings(rate=1.0, warmup=10)
    >>> [round(float(learning_rate(step, 100, settings)), 2) for step in (0, 9, 50, 100)]
    [0.1, 0.98, 0.5, 0.01]
    """
    done = jnp.clip(step / jnp.maximum(total, 1), 0, 1)
    fall = 0.01 + 0.99 * (1 + jnp.cos(jnp.pi * done)) / 2
    return settings.rate * jnp.minimum((step + 1) / settings.warmup, 1) * fall
