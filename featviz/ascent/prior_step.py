"""What a prior does in one lane's step: before its gradient, and to its gradient."""

from typing import Any

import jax
from jaxtyping import Array, Float, Key

from featviz.ascent.routine import Lane, Routine, StepWeights, images_of
from featviz.priors.base import Denoise
from featviz.priors.loading import denoise_channels

# Folded into a step's key, whose views have keys of 0 and up.
RENEWAL, DIRECTION = 0xFFFFFFFD, 0xFFFFFFFE


def renewed(routine: Routine, weights: Any, lane: Lane, progress: Float[Array, ""]) -> Lane:
    """The lane at which the step takes its gradient."""
    prior = routine.prior
    if prior is None or not prior.carries_noise:
        return lane
    images = images_of(routine, lane.params, lane.kept)
    estimate, noise = prior.renew(_key(lane, RENEWAL), _denoiser(routine, weights), images, lane.noise, progress)
    return lane._replace(params=routine.parameterization.from_image(estimate), noise=noise)


def directed(
    routine: Routine,
    weights: Any,
    lane: Lane,
    images: Float[Array, "n h w c"],
    gradient: Float[Array, "n h w c"],
    progress: Float[Array, ""],
) -> Float[Array, "n h w c"]:
    """The direction in which the images go; without a prior the gradient itself."""
    if routine.prior is None:
        return gradient
    key = _key(lane, DIRECTION)
    return routine.prior.direct(key, _denoiser(routine, weights), images, gradient, progress)


def _key(lane: Lane, purpose: int) -> Key[Array, ""]:
    return jax.random.fold_in(jax.random.fold_in(lane.key, lane.step), purpose)


def _denoiser(routine: Routine, weights: StepWeights) -> Denoise:
    config = routine.denoiser
    assert config is not None

    def denoise(key: Key[Array, ""], images: Float[Array, "n h w c"], sigma: Any) -> Float[Array, "n h w c"]:
        return denoise_channels(key, config, weights.prior, images, sigma, dtype=routine.dtype)

    return denoise
