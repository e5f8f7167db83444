"""One step of one lane: its gradient, the optimizer's update, and whether it goes on."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int32

from featviz.ascent.gradient import step_gradient
from featviz.ascent.prior_step import renewed
from featviz.ascent.routine import (
    CONVERGED,
    NOT_FINITE,
    OUT_OF_STEPS,
    RUNNING,
    Convergence,
    Lane,
    Routine,
    StepWeights,
)
from featviz.model import Weights
from featviz.objectives import Objective


def one_step(
    routine: Routine,
    weights: Weights | StepWeights,
    objective: Objective,
    penalty: Objective | None,
    steps: Int32[Array, ""],
    lane: Lane,
) -> tuple[Lane, Float[Array, ""]]:
    """One step of one lane, and its score."""
    progress = lane.step.astype(jnp.float32) / steps.astype(jnp.float32)
    here = renewed(routine, weights, lane, progress)
    ascent = step_gradient(routine, weights, penalty, objective, here, progress)
    # optax descends: the gradient of minus the score. It mixes dtypes, so strict promotion ends here.
    with jax.numpy_dtype_promotion("standard"):
        descent = jax.tree.map(jnp.negative, ascent.gradient)
        rule = optax.with_extra_args_support(routine.optimizer())
        updates, state = rule.update(descent, here.optimizer, here.params, progress=progress, gradient=descent)
        params = optax.apply_updates(here.params, updates)
    attribution = (
        None if lane.attribution is None else lane.attribution + jnp.sum(jnp.abs(ascent.image_gradient), axis=-1)
    )

    leaves = [*jax.tree.leaves(params), ascent.score]
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
    # A prior moves a picture of which the objective knows nothing.
    own = ascent.gradient if routine.prior is None else ascent.image_gradient
    moved = jnp.any(jnp.stack([jnp.any(leaf != 0) for leaf in jax.tree.leaves(own)]))
    next_step = lane.step + 1
    converged, window_sum, window_mean = _converged(routine.convergence, lane, next_step, ascent.score)
    status = jnp.where(next_step >= steps, OUT_OF_STEPS, jnp.where(converged, CONVERGED, RUNNING))
    after = Lane(
        params=params,
        optimizer=state,
        key=lane.key,
        step=next_step,
        status=status,
        moved=lane.moved | moved,
        silent=~moved,
        window_sum=window_sum,
        window_mean=window_mean,
        attribution=attribution,
        anchor=lane.anchor,
        balance=ascent.balance,
        kept=lane.kept,
        carried=ascent.carried,
    )

    running = (lane.status == RUNNING) & (lane.step < steps)
    kept = _where(running & finite, after, lane)
    # A lane that meets a nan keeps its last good picture.
    status = jnp.where(running & ~finite, NOT_FINITE, kept.status)
    return kept._replace(status=status), jnp.where(running, ascent.score, jnp.nan)


def _converged(
    rule: Convergence | None, lane: Lane, next_step: Int32[Array, ""], score: Float[Array, ""]
) -> tuple[Bool[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Whether the lane's score has stopped rising, and the sum of its current window and the mean of the last one."""
    if rule is None:
        return jnp.zeros((), bool), lane.window_sum, lane.window_mean
    total = lane.window_sum + score
    complete = next_step % rule.window == 0
    mean = total / rule.window
    flat = mean - lane.window_mean < rule.tolerance * jnp.abs(mean)
    patient = next_step >= rule.window * rule.patience
    return complete & flat & patient, jnp.where(complete, 0.0, total), jnp.where(complete, mean, lane.window_mean)


def _where(condition: Bool[Array, ""], new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
