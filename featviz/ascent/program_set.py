"""The programs of a run, traced from the shapes of what they take, so that all can be compiled at the same time."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Key

from featviz import ascent
from featviz.common.compilation import TracedProgram, few_runs_options, once_options, traced
from featviz.model import Weights
from featviz.objectives import Objective


class StepShapes(NamedTuple):
    """The shapes of what a chunk of steps takes, with their places on the devices: the arguments of `advance`."""

    weights: ascent.PreparedWeights
    stacked: Objective
    penalty: Objective | None
    steps: jax.ShapeDtypeStruct
    lanes: ascent.Lane


def step_shapes(plan: ascent.StepPlan, weights: Weights, count: int, *, mesh: Mesh) -> StepShapes:
    """The shapes of `count` lanes on all devices of a mesh; nothing runs.

    Args:
      plan: the lanes' step.
      weights: the network's weights, or their shapes.
      count: the number of lanes.
      mesh: the devices.
    """
    per_lane, replicated = NamedSharding(mesh, PartitionSpec(ascent.LANES)), NamedSharding(mesh, PartitionSpec())
    _, objective, penalty, steps, lane = jax.tree.unflatten(plan.structure, plan.shapes)
    prepared = ascent.PreparedWeights(weights, jax.eval_shape(plan.prepare, weights))
    return StepShapes(
        weights=_placed(prepared, replicated),
        stacked=_placed(objective, per_lane, count=count),
        penalty=_placed(penalty, replicated),
        steps=_placed(steps, replicated),
        lanes=_placed(lane, per_lane, count=count),
    )


def _placed(tree: Any, sharding: NamedSharding, *, count: int | None = None) -> Any:
    """The shapes of a tree of arrays at a place, of `count` such trees stacked."""
    lanes = () if count is None else (count,)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((*lanes, *np.shape(leaf)), leaf.dtype, sharding=sharding), tree
    )


def trace_prepare(plan: ascent.StepPlan, weights: Weights) -> tuple[TracedProgram, TracedProgram]:
    """The two programs of what a step computes from weights alone: of values that are moved, and of the others.

    What is only moved, most of it, has the same bits with the options that compile it in a tenth of the time.
    """
    backend = jax.default_backend()
    moved, others = (
        traced(
            ascent.prepare,
            weights,
            owner=plan.routine.apply,
            options=few_runs_options(backend, quick=is_moved),
            plan=plan,
            moved=is_moved,
        )
        for is_moved in (True, False)
    )
    return moved, others


def trace_advance(plan: ascent.StepPlan, shapes: StepShapes, *, mesh: Mesh) -> TracedProgram:
    """The program of a chunk of steps."""
    return traced(ascent.advance, *shapes, owner=plan.routine.apply, donated=(4,), plan=plan, mesh=mesh)


def trace_finish(plan: ascent.StepPlan, shapes: StepShapes, *, mesh: Mesh) -> TracedProgram:
    """The program of the lanes' images and scores."""
    weights, owner = shapes.weights.weights, plan.routine.apply
    return traced(ascent.finish, weights, shapes.stacked, shapes.lanes, owner=owner, routine=plan.routine, mesh=mesh)


def trace_start(
    routine: ascent.Routine, keys: Key[Array, " lanes"], images: Float[np.ndarray, "lanes n h w c"] | None
) -> TracedProgram:
    """The program of fresh lanes; without the backend's options, which round some starts otherwise."""
    options = once_options(jax.default_backend())
    return traced(ascent.start, keys, images, owner=routine.apply, options=options, routine=routine)
