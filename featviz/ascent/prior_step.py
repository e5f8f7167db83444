"""What a prior does in one lane's step: before its gradient, and to its gradient."""

from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array, Float, Key

from featviz.ascent.routine import Lane, Routine, StepWeights, images_of
from featviz.priors.base import Denoise, Moment
from featviz.priors.loading import denoise_channels
from featviz.priors.unet import DenoiserConfig, Weights

# Folded into a step's key, whose views have keys of 0 and up.
RENEWAL, DIRECTION = 0xFFFFFFFD, 0xFFFFFFFE


def renewed(routine: Routine, weights: Any, lane: Lane, progress: Float[Array, ""]) -> Lane:
    """The lane at which the step takes its gradient."""
    prior = routine.prior
    if prior is None or not prior.from_noise:
        return lane
    assert lane.carried is not None
    images = images_of(routine, lane.params, lane.kept)
    now = Moment(lane.step, progress)
    estimate, carried = prior.renew(_key(lane, RENEWAL), _denoiser(routine, weights), images, lane.carried, now)
    return lane._replace(params=routine.parameterization.from_image(estimate), carried=carried)


def directed(
    routine: Routine,
    weights: Any,
    lane: Lane,
    images: Float[Array, "n h w c"],
    gradient: Float[Array, "n h w c"],
    progress: Float[Array, ""],
) -> tuple[Float[Array, "n h w c"], Float[Array, "n h w c"] | None]:
    """The direction in which the images go, without a prior the gradient itself, and what the lane carries on."""
    if routine.prior is None:
        return gradient, None
    assert lane.carried is not None
    key, now = _key(lane, DIRECTION), Moment(lane.step, progress)
    return routine.prior.direct(key, _denoiser(routine, weights), images, gradient, lane.carried, now)


def _key(lane: Lane, purpose: int) -> Key[Array, ""]:
    return jax.random.fold_in(jax.random.fold_in(lane.key, lane.step), purpose)


def _denoiser(routine: Routine, weights: StepWeights) -> Denoise:
    assert routine.denoiser is not None
    return jax.tree_util.Partial(_Denoise(routine.denoiser, routine.dtype), weights.prior)


@dataclass(frozen=True)
class _Denoise:
    """A denoiser without its weights: equal ones are one function in a program."""

    config: DenoiserConfig
    dtype: str

    def __call__(
        self, weights: Weights, key: Key[Array, ""], images: Float[Array, "n h w c"], sigma: Any
    ) -> Float[Array, "n h w c"]:
        return denoise_channels(key, self.config, weights, images, sigma, dtype=self.dtype)
