"""The one loop: lanes of gradient ascent under `vmap`, steps under `lax.scan`, a chunk at a time."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, PartitionSpec

from featviz.ascent.gradient import activations_of, step_gradient
from featviz.ascent.routine import CONVERGED, LANES, NOT_FINITE, OUT_OF_STEPS, RUNNING, Convergence, Lane, Routine
from featviz.model import Weights
from featviz.objectives import Objective
from featviz.parameterizations import extra_channels
from featviz.regularizers import over_gray


@partial(jax.jit, static_argnames="routine")
def start(routine: Routine, keys: jax.Array, images: jax.Array | None) -> Lane:
    """Fresh lanes from their keys, (lanes,), or from start images, (lanes, n, h, w, c)."""

    def one(key: jax.Array, image: jax.Array | None) -> Lane:
        if image is None:
            params = routine.parameterization.init(jax.random.fold_in(key, 0xFFFFFFFF), routine.shape)
        else:
            params = routine.parameterization.from_image(image)
        zero = jnp.zeros((), jnp.float32)
        number = jnp.zeros((), jnp.int32)
        state = routine.optimizer().init(params)
        attribution = jnp.zeros(routine.shape[:3], jnp.float32) if routine.transparency else None
        below = jnp.full((), -jnp.inf, jnp.float32)
        held = routine.fidelity is not None
        anchor = routine.parameterization.to_image(params, routine.shape) if held else None
        undecided = zero if held else None
        moved = jnp.zeros((), bool)
        return Lane(params, state, key, number, number, moved, zero, below, attribution, anchor, undecided)

    return jax.vmap(one, in_axes=(0, None if images is None else 0))(keys, images)


@partial(jax.jit, static_argnames=("routine", "mesh"), donate_argnames="lanes")
def advance(
    weights: Weights,
    objectives: Objective,
    penalty: Objective | None,
    steps: jax.Array,
    lanes: Lane,
    *,
    routine: Routine,
    mesh: Mesh,
) -> tuple[Lane, jax.Array]:
    """One chunk of steps of all lanes, and the scores of its steps, (chunk, lanes); nan where frozen.

    `objectives` are stacked over lanes; `penalty` is added to each; `steps`, a scalar int32, bounds each lane.
    The scores are without the penalty. Each device of the mesh runs its share of the lanes by a program of its
    own, the same whatever their number.
    """

    def share(
        weights: Weights, objectives: Objective, penalty: Objective | None, steps: jax.Array, lanes: Lane
    ) -> tuple[Lane, jax.Array]:
        step = jax.vmap(partial(_step, routine, weights, penalty, steps))
        if routine.chunk == 1:
            lanes, score = step(objectives, lanes)
            return lanes, score[None]
        return jax.lax.scan(lambda lanes, _: step(objectives, lanes), lanes, None, length=routine.chunk)

    lane, every = PartitionSpec(LANES), PartitionSpec()
    run = jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(every, lane, every, every, lane),
        out_specs=(lane, PartitionSpec(None, LANES)),
        check_vma=False,  # networks of others need not say what varies over devices
    )
    return run(weights, objectives, penalty, steps, lanes)


@partial(jax.jit, static_argnames=("routine", "mesh"))
def finish(
    weights: Weights, objectives: Objective, lanes: Lane, *, routine: Routine, mesh: Mesh
) -> tuple[jax.Array, jax.Array]:
    """The images, (lanes, n, h, w, c), and the objectives on them without transforms, in float32, (lanes, n)."""
    exact = replace(routine, dtype="float32")

    def one(weights: Weights, objective: Objective, lane: Lane) -> tuple[jax.Array, jax.Array]:
        image = exact.parameterization.to_image(lane.params, exact.shape)
        seen = over_gray(image) if extra_channels(exact.parameterization) else image
        activations = activations_of(exact, weights, seen, objective.layers, active=None)
        return image, objective(activations)

    lane, every = PartitionSpec(LANES), PartitionSpec()
    run = jax.shard_map(
        jax.vmap(one, in_axes=(None, 0, 0)),
        mesh=mesh,
        in_specs=(every, lane, lane),
        out_specs=lane,
        check_vma=False,
    )
    return run(weights, objectives, lanes)


@jax.jit
def refill(lanes: Lane, fresh: Lane, replaced: jax.Array) -> Lane:
    """`fresh` in the places where `replaced`, (lanes,) bool, says so; the same program for any of them."""

    def choose(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(replaced.reshape(replaced.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, lanes, fresh)


def _step(
    routine: Routine,
    weights: Weights,
    penalty: Objective | None,
    steps: jax.Array,
    objective: Objective,
    lane: Lane,
) -> tuple[Lane, jax.Array]:
    """One step of one lane."""
    progress = lane.step.astype(jnp.float32) / steps.astype(jnp.float32)
    climb = step_gradient(routine, weights, penalty, objective, lane, progress)
    # optax descends: the gradient of minus the score. It mixes dtypes, so strict promotion ends here.
    with jax.numpy_dtype_promotion("standard"):
        descent = jax.tree.map(jnp.negative, climb.gradient)
        rule = optax.with_extra_args_support(routine.optimizer())
        updates, state = rule.update(descent, lane.optimizer, lane.params, progress=progress, gradient=descent)
        params = optax.apply_updates(lane.params, updates)
    attribution = None if lane.attribution is None else lane.attribution + jnp.sum(jnp.abs(climb.slope), axis=-1)

    leaves = [*jax.tree.leaves(params), climb.score]
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
    moved = jnp.any(jnp.stack([jnp.any(leaf != 0) for leaf in jax.tree.leaves(climb.gradient)]))
    next_step = lane.step + 1
    converged, window_sum, window_mean = _converged(routine.convergence, lane, next_step, climb.score)
    status = jnp.where(next_step >= steps, OUT_OF_STEPS, jnp.where(converged, CONVERGED, RUNNING))
    after = Lane(
        params,
        state,
        lane.key,
        next_step,
        status,
        lane.moved | moved,
        window_sum,
        window_mean,
        attribution,
        lane.anchor,
        climb.balance,
    )

    running = (lane.status == RUNNING) & (lane.step < steps)
    kept = _where(running & finite, after, lane)
    # A lane that meets a nan keeps its last good picture.
    status = jnp.where(running & ~finite, NOT_FINITE, kept.status)
    return kept._replace(status=status), jnp.where(running, climb.score, jnp.nan)


def _converged(
    rule: Convergence | None, lane: Lane, next_step: jax.Array, score: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Whether the lane has stopped rising, and its running window."""
    if rule is None:
        return jnp.zeros((), bool), lane.window_sum, lane.window_mean
    total = lane.window_sum + score
    whole = next_step % rule.window == 0
    mean = total / rule.window
    small = mean - lane.window_mean < rule.tolerance * jnp.abs(mean)
    late = next_step >= rule.window * rule.patience
    return whole & small & late, jnp.where(whole, 0.0, total), jnp.where(whole, mean, lane.window_mean)


def _where(condition: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
