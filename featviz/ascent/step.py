"""The compiled step: lanes of gradient ascent under `vmap`, steps under `lax.scan`, a chunk at a time."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int32, Key

from featviz.ascent.gradient import activations_of, step_gradient
from featviz.ascent.routine import (
    CONVERGED,
    LANES,
    NOT_FINITE,
    OUT_OF_STEPS,
    RUNNING,
    Convergence,
    Lane,
    Routine,
    images_of,
)  # fmt: skip
from featviz.model import Weights
from featviz.objectives import Objective
from featviz.parameterizations import extra_channels
from featviz.regularizers import over_gray


@partial(jax.jit, static_argnames="routine")
def start(keys: Key[Array, " lanes"], images: Float[Array, "lanes n h w c"] | None, *, routine: Routine) -> Lane:
    """Fresh lanes, from the noise of their keys or from start images."""

    def start_one(key: Key[Array, ""], image: Float[Array, "n h w c"] | None) -> Lane:
        if image is None:
            params = routine.parameterization.init(jax.random.fold_in(key, 0xFFFFFFFF), routine.shape)
        else:
            params = routine.parameterization.from_image(image)
        kept = image[..., jnp.array(routine.keep)] if image is not None and routine.keep else None
        zero = jnp.zeros((), jnp.float32)
        fidelity = routine.fidelity is not None
        return Lane(
            params=params,
            optimizer=routine.optimizer().init(params),
            key=key,
            step=jnp.zeros((), jnp.int32),
            status=jnp.full((), RUNNING, jnp.int32),
            moved=jnp.zeros((), bool),
            window_sum=zero,
            window_mean=jnp.full((), -jnp.inf, jnp.float32),
            attribution=jnp.zeros(routine.shape[:3], jnp.float32) if routine.transparency else None,
            anchor=images_of(routine, params, kept) if fidelity else None,
            balance=zero if fidelity else None,
            kept=kept,
        )

    return jax.vmap(start_one, in_axes=(0, None if images is None else 0))(keys, images)


@partial(jax.jit, static_argnames=("routine", "mesh"), donate_argnames="lanes")
def advance(
    weights: Weights,
    objectives: Objective,
    penalty: Objective | None,
    steps: Int32[Array, ""],
    lanes: Lane,
    *,
    routine: Routine,
    mesh: Mesh,
) -> tuple[Lane, Float[Array, "chunk lanes"]]:
    """One chunk of steps of all lanes, and the score of each step without the penalty, nan where a lane is frozen.

    `objectives` are stacked over lanes; `penalty` is added to each; no lane makes more than `steps`. Each device of the
    mesh runs its share of the lanes by its own program, the same for any number of devices.
    """

    def advance_share(
        weights: Weights, objectives: Objective, penalty: Objective | None, steps: Int32[Array, ""], lanes: Lane
    ) -> tuple[Lane, Float[Array, "chunk lanes"]]:
        step = jax.vmap(partial(_step, routine, weights, penalty, steps))
        if routine.chunk == 1:
            lanes, score = step(objectives, lanes)
            return lanes, score[None]
        return jax.lax.scan(lambda lanes, _: step(objectives, lanes), lanes, None, length=routine.chunk)

    per_lane, replicated = PartitionSpec(LANES), PartitionSpec()
    run = jax.shard_map(
        advance_share,
        mesh=mesh,
        in_specs=(replicated, per_lane, replicated, replicated, per_lane),
        out_specs=(per_lane, PartitionSpec(None, LANES)),
        check_vma=False,  # users' networks need not declare which values vary over devices
    )
    return run(weights, objectives, penalty, steps, lanes)


@partial(jax.jit, static_argnames=("routine", "mesh"))
def finish(
    weights: Weights, objectives: Objective, lanes: Lane, *, routine: Routine, mesh: Mesh
) -> tuple[Float[Array, "lanes n h w c"], Float[Array, "lanes n"]]:
    """The images of all lanes, and the objectives on them without transforms, in float32."""
    exact = replace(routine, dtype="float32")

    def finish_one(
        weights: Weights, objective: Objective, lane: Lane
    ) -> tuple[Float[Array, "n h w c"], Float[Array, " n"]]:
        image = images_of(exact, lane.params, lane.kept)
        opaque = over_gray(image) if extra_channels(exact.parameterization) else image
        activations = activations_of(exact, weights, opaque, objective.layers, active=None)
        return image, objective(activations)

    per_lane, replicated = PartitionSpec(LANES), PartitionSpec()
    run = jax.shard_map(
        jax.vmap(finish_one, in_axes=(None, 0, 0)),
        mesh=mesh,
        in_specs=(replicated, per_lane, per_lane),
        out_specs=per_lane,
        check_vma=False,
    )
    return run(weights, objectives, lanes)


@jax.jit
def refill(lanes: Lane, fresh: Lane, replaced: Bool[Array, " lanes"]) -> Lane:
    """`fresh` lanes where `replaced`, the others unchanged; the same program for any of them."""

    def choose(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(replaced.reshape(replaced.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, lanes, fresh)


def _step(
    routine: Routine,
    weights: Weights,
    penalty: Objective | None,
    steps: Int32[Array, ""],
    objective: Objective,
    lane: Lane,
) -> tuple[Lane, Float[Array, ""]]:
    """One step of one lane, and its score."""
    progress = lane.step.astype(jnp.float32) / steps.astype(jnp.float32)
    ascent = step_gradient(routine, weights, penalty, objective, lane, progress)
    # optax descends: the gradient of minus the score. It mixes dtypes, so strict promotion ends here.
    with jax.numpy_dtype_promotion("standard"):
        descent = jax.tree.map(jnp.negative, ascent.gradient)
        rule = optax.with_extra_args_support(routine.optimizer())
        updates, state = rule.update(descent, lane.optimizer, lane.params, progress=progress, gradient=descent)
        params = optax.apply_updates(lane.params, updates)
    attribution = (
        None if lane.attribution is None else lane.attribution + jnp.sum(jnp.abs(ascent.image_gradient), axis=-1)
    )

    leaves = [*jax.tree.leaves(params), ascent.score]
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
    moved = jnp.any(jnp.stack([jnp.any(leaf != 0) for leaf in jax.tree.leaves(ascent.gradient)]))
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
        window_sum=window_sum,
        window_mean=window_mean,
        attribution=attribution,
        anchor=lane.anchor,
        balance=ascent.balance,
        kept=lane.kept,
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
