"""The compiled routine as a value, and the state of one optimization."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int32, Key, PyTree

from featviz.model import Apply, Weights
from featviz.parameterizations import Parameterization, Shape
from featviz.priors import Prior
from featviz.priors.unet import DenoiserConfig
from featviz.priors.unet import Weights as PriorWeights
from featviz.regularizers import Fidelity, Transform

# The version of the computation: raised whenever a change here, or in the code that this uses, changes pixels.
VERSION = 9
# The status of a lane. Running lanes move; all others are frozen.
RUNNING, CONVERGED, OUT_OF_STEPS, NOT_FINITE = range(4)
# The axis of a mesh of devices over which lanes are spread.
LANES = "lanes"


@dataclass(frozen=True)
class Convergence:
    """When to stop: once the mean score of `window` steps exceeds that of the `window` before by less than `tolerance`.

    `tolerance` is relative to the mean. At least `patience` windows run. Each lane decides by its own step counter, so
    that neighbors and chunks have no effect.
    """

    window: int = 32
    tolerance: float = 0.01
    patience: int = 3


@dataclass(frozen=True)
class Routine:
    """Everything static about a compiled step: hashable, without weights, units or seeds, which are arguments.

    `chunk` is the number of steps of one compiled call. It is 1 on a CPU, where XLA runs the convolutions of a loop's
    body two to four times slower than the same ones outside, and a call costs next to nothing. `shape` is
    (n, height, width, channels): the n images of a group are optimized together, and group objectives compare them.
    """

    apply: Apply
    parameterization: Parameterization
    optimizer: Callable[[], optax.GradientTransformation]
    transforms: tuple[Transform, ...]
    shape: Shape
    samples: int = 1
    redirect_steps: int = 16
    convergence: Convergence | None = None
    chunk: int = 1
    dtype: str = "float32"
    transparency: bool = False
    fidelity: Fidelity | None = None
    keep: tuple[int, ...] = ()  # the channels of the start images that stay as they are
    prior: Prior | None = None
    denoiser: DenoiserConfig | None = None  # the architecture of the prior's denoiser


class StepWeights(NamedTuple):
    """What a routine with a prior takes as its weights: the network's, and the denoiser's."""

    network: Weights
    prior: PriorWeights


def network_weights(routine: Routine, weights: Weights | StepWeights) -> Weights:
    """The network's weights among those of a routine's step."""
    return weights if routine.prior is None else weights.network


class Lane(NamedTuple):
    """The state of one optimization; stacked, every leaf has a leading axis of lanes."""

    params: PyTree[Float[Array, "..."]]
    optimizer: optax.OptState
    key: Key[Array, "*lanes"]  # folded with the step for the draws of each step
    step: Int32[Array, "*lanes"]  # steps done
    status: Int32[Array, "*lanes"]  # RUNNING, CONVERGED, OUT_OF_STEPS or NOT_FINITE
    moved: Bool[Array, "*lanes"]  # whether any gradient was other than zero so far
    silent: Bool[Array, "*lanes"]  # whether all of the last step's gradient was zero
    window_sum: Float[Array, "*lanes"]  # sum of the scores of the current window
    window_mean: Float[Array, "*lanes"]  # mean of the last complete window
    attribution: Float[Array, "*lanes n h w"] | None  # sum over steps of |d objective / d image|, with transparency
    anchor: Float[Array, "*lanes n h w c"] | None  # the image at the start, with fidelity
    balance: Float[Array, "*lanes"] | None  # of the gradients of objective and fidelity, 0 until it is measured
    kept: Float[Array, "*lanes n h w kept"] | None = None  # the start's channels that stay as they are
    carried: Float[Array, "*lanes n h w c"] | None = None  # what a prior carries from step to step


def images_of(
    routine: Routine, params: PyTree[Float[Array, "..."]], kept: Float[Array, "n h w kept"] | None
) -> Float[Array, "n h w c"]:
    """The images of one lane's parameters, with the channels that are kept."""
    images = routine.parameterization.to_image(params, routine.shape)
    return images if kept is None else images.at[..., jnp.array(routine.keep)].set(kept.astype(images.dtype))
