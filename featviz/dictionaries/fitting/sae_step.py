"""One step of a sparse autoencoder's training: the loss, dead latents revived, Adam, and decoder rows of length 1."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from featviz.dictionaries.fitting.largest_values import keep_largest_values
from featviz.dictionaries.fitting.trained_kinds import TRAINED, Parameters

# Of the loss by which dead latents learn what the others leave (Gao et al. 2024, appendix A.2).
REVIVAL = 1 / 32
# Positions without firing after which a latent is dead, unless a pass over all positions is shorter (Gao et al. 2024).
DEAD_AFTER = 10_000_000
# How fast the weight of a penalty follows the number of latents that fire.
REGULATION = 0.01
# Kinds whose latents are selected by their size: no penalty has to follow, and the rate may be higher, up to this.
SELECTING, MAX_RATE = ("topk", "batch_topk", "matryoshka"), 0.01
# Of the first weight of a penalty.
STRENGTH = 0.1
# Adam's, of Gao et al. 2024.
BETAS, EPSILON = (0.9, 0.999), 6.25e-10


@dataclass(frozen=True)
class SaeSettings:
    """How an autoencoder is trained.

    Args:
      kind: one of `TRAINED`.
      units: of the layer.
      latents: how many.
      k: how many fire at a position: exactly (topk), on average (batch_topk, matryoshka), or what the weight of the
        penalty is regulated to (relu, gated); a penalty holds jump_relu near it.
      steps: how many.
      batch: positions a step.
      rate: the learning rate at its highest.
      dead_after: positions without firing after which a latent is dead.
      seed: of the first decoder and of the order of positions.
    """

    kind: str
    units: int
    latents: int
    k: int
    steps: int
    batch: int
    rate: float
    dead_after: int
    seed: int


class SaeState(NamedTuple):
    """Where a training stands.

    Args:
      step: how many steps are done.
      parameters: of the autoencoder.
      adam: the optimizer's state.
      silent: positions since each latent fired.
      log_strength: the logarithm of the weight of the penalty.
    """

    step: Int[Array, ""]
    parameters: Parameters
    adam: Any
    silent: Int[Array, " latents"]
    log_strength: Float[Array, ""]


class StepFigures(NamedTuple):
    """What a step measured on its batch.

    Args:
      unexplained: the share of the variance that the reconstruction lacks.
      l0: how many latents fire at a position.
      dead: how many latents are dead.
    """

    unexplained: Float[Array, ""]
    l0: Float[Array, ""]
    dead: Int[Array, ""]


def default_rate(kind: str, latents: int) -> float:
    """The learning rate that suits a number of latents: 6e-4 / sqrt(latents / 2^14), and four times that, at most .01,
    for kinds that keep a number of the largest latents.

    Gao et al. 2024 have the same law with 2e-4, of trainings on billions of positions. On few a higher rate is better:
    1536 latents of DeiT-tiny's `blocks/6` explain .736 of the variance of held-out positions after 400 steps of 2048
    with three times their rate, and .777 with twelve times.

    >>> default_rate("relu", 2**14), default_rate("batch_topk", 2**14), default_rate("topk", 2**8)
    (0.0006, 0.0024, 0.01)
    """
    rate = 6e-4 / (latents / 2**14) ** 0.5
    return min(4 * rate, MAX_RATE) if kind in SELECTING else rate


def init_sae(sample: Float[Array, "n units"], settings: SaeSettings) -> SaeState:
    """The state before the first step: random decoder rows of length 1, the encoder their transpose.

    Args:
      sample: of inputs, whose mean the decoder's bias begins with.
      settings: of the training.
    """
    rows = jax.random.normal(jax.random.key(settings.seed), (settings.latents, settings.units))
    decoder = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
    parameters = {
        "encoder": decoder.T,
        "encoder_bias": jnp.zeros(settings.latents),
        "decoder": decoder,
        "decoder_bias": jnp.mean(sample, axis=0),
    }
    parameters = TRAINED[settings.kind].extend(parameters, sample, settings.k)
    silent = jnp.zeros(settings.latents, jnp.int32)
    return SaeState(jnp.int32(0), parameters, _optimizer().init(parameters), silent, jnp.log(jnp.float32(STRENGTH)))


def sae_step(state: SaeState, inputs: Float[Array, "n units"], settings: SaeSettings) -> tuple[SaeState, StepFigures]:
    """The state after one step more, and what it measured.

    Args:
      state: before the step.
      inputs: activations, scaled to the variance of independent units of variance 1.
      settings: of the training.
    """
    dead = state.silent >= settings.dead_after
    # Whole gradients, with revival and without: a branch within one would make arrays of zeros of all that it is kept.
    gradient, passed = jax.lax.cond(
        jnp.any(dead),
        lambda: _gradient(state, inputs, settings, dead),
        lambda: _gradient(state, inputs, settings, None),
    )
    gradient["decoder"] = _across(gradient["decoder"], state.parameters["decoder"])
    # Adam's correction is a number to the power of a count, of another type.
    with jax.numpy_dtype_promotion("standard"):
        updates, adam = _optimizer().update(gradient, state.adam)
    rate = scheduled_rate(state.step, settings)
    parameters = {name: value - rate * updates[name] for name, value in state.parameters.items()}
    parameters["decoder"] /= jnp.maximum(jnp.linalg.norm(parameters["decoder"], axis=1, keepdims=True), 1e-12)
    silent = jnp.where(passed.fired, 0, jnp.minimum(state.silent + inputs.shape[0], 2**30))
    excess = jnp.clip(jnp.log((passed.l0 + 1) / (settings.k + 1)), -1, 1)
    after = SaeState(state.step + 1, parameters, adam, silent, state.log_strength + REGULATION * excess)
    return after, StepFigures(passed.unexplained, passed.l0, jnp.sum(dead))


class _Measured(NamedTuple):
    """What a batch shows: the share of the variance that is unexplained, L0, and which latents fired."""

    unexplained: Float[Array, ""]
    l0: Float[Array, ""]
    fired: Bool[Array, " latents"]


def _gradient(
    state: SaeState, inputs: Float[Array, "n units"], settings: SaeSettings, dead: Bool[Array, " latents"] | None
) -> tuple[Parameters, _Measured]:
    """The gradient of the loss, and what the batch shows; `dead` latents, if there are some, are revived."""
    kind = TRAINED[settings.kind]

    def loss_of(parameters: Parameters) -> tuple[Float[Array, ""], _Measured]:
        passed = kind.run(parameters, inputs, settings.k)
        error = jax.lax.stop_gradient(inputs - passed.reconstruction)
        loss = passed.loss
        if dead is not None:
            loss += REVIVAL * _revival(parameters, passed.pre_activations, error, dead)
        if kind.regulated:
            loss += jnp.exp(state.log_strength) * passed.penalty
        fires = passed.latents > 0
        l0 = jnp.mean(jnp.sum(fires, axis=1, dtype=jnp.float32))
        return loss, _Measured(jnp.mean(jnp.square(error)), l0, jnp.any(fires, axis=0))

    gradient, measured = jax.grad(loss_of, has_aux=True)(state.parameters)
    return gradient, measured


def scheduled_rate(step: Any, settings: SaeSettings) -> Float[Array, ""]:
    """The learning rate of a step: linear to its highest, and linear to nothing over the last fifth."""
    warmup = max(1, min(1000, settings.steps // 20))
    rise, fall = (step + 1) / warmup, 5 * (settings.steps - step) / settings.steps
    return settings.rate * jnp.clip(jnp.minimum(rise, fall), 0, 1)


def _optimizer() -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(*BETAS, eps=EPSILON))


def _across(
    gradient: Float[Array, "latents units"], rows: Float[Array, "latents units"]
) -> Float[Array, "latents units"]:
    """The part of a gradient that turns rows, without that which makes them longer."""
    return gradient - jnp.sum(gradient * rows, axis=1, keepdims=True) * rows


def _revival(
    parameters: Parameters, pre: Float[Array, "n latents"], error: Float[Array, "n units"], dead: Array
) -> Float[Array, ""]:
    """What the dead latents with the largest pre-activations leave of the error, a share of it."""
    count = max(1, error.shape[1] // 2)
    candidates = keep_largest_values(jnp.where(dead[None], jnp.maximum(pre, 0), 0), count, rows=True)
    remaining = error - candidates @ parameters["decoder"]
    return jnp.mean(jnp.square(remaining)) / jnp.maximum(jnp.mean(jnp.square(error)), 1e-12)
