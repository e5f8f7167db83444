"""What a step computes from weights alone, computed once for all steps of a run.

Kernels that are rearranged for the backend's convolutions, the factors of a batch norm, weights in another dtype: one
lane's step is traced, and split at the values that depend on nothing else (`tracing/weight_values.py`).
"""

import inspect
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from featviz.ascent.fresh_lanes import start
from featviz.ascent.lane_step import one_step
from featviz.ascent.routine import Lane, Routine, StepWeights
from featviz.model import Weights
from featviz.objectives import Objective, stack
from featviz.tracing.evaluation import cut, evaluate
from featviz.tracing.program import Program, Value, trace
from featviz.tracing.rounding import freely_rounded
from featviz.tracing.weight_values import weight_values


class PreparedWeights(NamedTuple):
    """A step's weights, and what the step computes from them alone; what is not needed of them is not passed on."""

    weights: Weights | StepWeights
    values: tuple[Array, ...]


class _Split(NamedTuple):
    whole: Program
    values: list[Value]
    rest: Program
    outputs: Any


@dataclass(frozen=True)
class StepPlan:
    """A lane's step for arguments of given shapes: equal plans are one compiled program.

    `shapes` are those of (weights, objective, penalty, steps, lane), whose structure is `structure`.
    """

    routine: Routine
    structure: Any
    shapes: tuple[jax.ShapeDtypeStruct, ...]

    @cached_property
    def _split(self) -> _Split:
        def step(*leaves: jax.Array) -> tuple[Lane, jax.Array]:
            return one_step(self.routine, *jax.tree.unflatten(self.structure, leaves))

        whole, outputs = trace(step, *self.shapes)
        weights, *_ = jax.tree.unflatten(self.structure, whole.inputs)
        values = weight_values(whole, jax.tree.leaves(weights, is_leaf=lambda leaf: isinstance(leaf, Value)))
        return _Split(whole, values, cut(whole, values), jax.tree.structure(outputs))

    def prepare(self, weights: Weights | StepWeights, *, moved: bool | None = None) -> tuple[jax.Array | None, ...]:
        """The values that depend on weights alone.

        With `moved` only those that are weights in another order and the like, or only the others; None in the place of
        what is left out.
        """
        split, leaves = self._split, jax.tree.leaves(weights)
        chosen = list(split.values)
        if moved is not None:
            free = freely_rounded(split.whole)
            chosen = [value for value in chosen if (value not in free) == moved]
        missing = [None] * (len(split.whole.inputs) - len(leaves))
        found = dict(zip(chosen, evaluate(split.whole, [*leaves, *missing], chosen), strict=True))
        return tuple(found.get(value) for value in split.values)

    def run(
        self,
        prepared: PreparedWeights,
        penalty: Objective | None,
        steps: Int32[Array, ""],
        objective: Objective,
        lane: Lane,
    ) -> tuple[Lane, Float[Array, ""]]:
        """One step of one lane, and its score."""
        split = self._split
        leaves = jax.tree.leaves((prepared.weights, objective, penalty, steps, lane))
        outputs = evaluate(split.rest, [*leaves, *prepared.values], split.rest.outputs)
        return jax.tree.unflatten(split.outputs, outputs)


def plan_step(
    routine: Routine,
    weights: Weights | StepWeights,
    objective: Objective,
    penalty: Objective | None,
    *,
    started: bool = False,
) -> StepPlan:
    """The plan of a routine's step for objectives of one structure; nothing runs.

    Args:
      routine: the routine.
      weights: the step's weights, or their shapes.
      objective: one of the objectives.
      penalty: what is added to each objective.
      started: whether lanes start from images, in place of noise.
    """
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
    images = jax.ShapeDtypeStruct((1, *routine.shape), jnp.float32) if started else None
    # Not the jitted function: JAX would keep the routine, and the network with it.
    begin = inspect.unwrap(start)
    lanes, stacked = jax.eval_shape(
        lambda keys, images: (begin(keys, images, routine=routine), stack([objective])), keys, images
    )
    lane, single = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), (lanes, stacked))
    whole = jax.eval_shape(lambda *arguments: arguments, weights, single, penalty, jnp.int32(0), lane)
    leaves, structure = jax.tree.flatten(whole)
    return StepPlan(routine, structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves))


@partial(jax.jit, static_argnames=("plan", "moved"))
def prepare(
    weights: Weights | StepWeights, *, plan: StepPlan, moved: bool | None = None
) -> tuple[jax.Array | None, ...]:
    """The values of a plan that depend on weights alone, as one program; see `StepPlan.prepare`."""
    return plan.prepare(weights, moved=moved)
