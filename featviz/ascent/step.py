"""The compiled step: lanes of gradient ascent under `vmap`, steps under `lax.scan`, a chunk at a time."""

from dataclasses import replace
from functools import partial

import jax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int32

from featviz.ascent.gradient import activations_of
from featviz.ascent.prepared_weights import PreparedWeights, StepPlan
from featviz.ascent.routine import LANES, Lane, Routine, StepWeights, images_of, network_weights
from featviz.model import Weights
from featviz.objectives import Objective
from featviz.parameterizations import extra_channels
from featviz.regularizers import over_gray


@partial(jax.jit, static_argnames=("plan", "mesh"), donate_argnames="lanes")
def advance(
    prepared: PreparedWeights,
    objectives: Objective,
    penalty: Objective | None,
    steps: Int32[Array, ""],
    lanes: Lane,
    *,
    plan: StepPlan,
    mesh: Mesh,
) -> tuple[Lane, Float[Array, "chunk lanes"]]:
    """One chunk of steps of all lanes, and the score of each step without the penalty, nan where a lane is frozen.

    `objectives` are stacked over lanes; `penalty` is added to each; no lane makes more than `steps`. Each device of the
    mesh runs its share of the lanes by its own program, the same for any number of devices.
    """

    routine = plan.routine

    def advance_share(
        prepared: PreparedWeights,
        objectives: Objective,
        penalty: Objective | None,
        steps: Int32[Array, ""],
        lanes: Lane,
    ) -> tuple[Lane, Float[Array, "chunk lanes"]]:
        step = jax.vmap(partial(plan.run, prepared, penalty, steps))
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
    return run(prepared, objectives, penalty, steps, lanes)


@partial(jax.jit, static_argnames=("routine", "mesh"))
def finish(
    weights: Weights | StepWeights, objectives: Objective, lanes: Lane, *, routine: Routine, mesh: Mesh
) -> tuple[Float[Array, "lanes n h w c"], Float[Array, "lanes n"]]:
    """The images of all lanes, and the objectives on them without transforms, in float32."""
    exact = replace(routine, dtype="float32")

    def finish_one(
        weights: Weights | StepWeights, objective: Objective, lane: Lane
    ) -> tuple[Float[Array, "n h w c"], Float[Array, " n"]]:
        image = images_of(exact, lane.params, lane.kept)
        opaque = over_gray(image) if extra_channels(exact.parameterization) else image
        activations = activations_of(exact, network_weights(exact, weights), opaque, objective.layers, redirect=None)
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
