"""Values of a traced network that do not depend on its images: along which axes they are constant, or random."""

from math import prod

import jax
import numpy as np

from featviz.tracing.batch_axis_rules import ELEMENTWISE
from featviz.tracing.program import Program, Step, Value

# Primitives that draw random numbers.
RANDOM = ("random_", "threefry2x32", "rng_")


def is_uniform(program: Program, value: Value, axis: int) -> bool:
    """Whether a value that does not depend on the images is the same along an axis, as far as it is known."""
    shape = value.aval.shape
    if not shape or shape[axis] == 1 or value.scalar is not None:
        return True
    if value.known is not None:
        array = None if isinstance(value.known, jax.core.Tracer) else np.asarray(value.known)
        return array is not None and bool((array == array.take([0], axis)).all())
    step = program.producers.get(value)
    if step is None:
        return False
    name, params = step.primitive.name, step.params
    if name in ELEMENTWISE or (name == "concatenate" and params["dimension"] != axis):
        return all(is_uniform(program, each, axis) for each in step.inputs)
    if name == "iota":
        return bool(params["dimension"] != axis)
    if not step.inputs:
        return False
    before = _before(step, axis)
    return before is not None and all(is_uniform(program, *each) for each in before)


def _before(step: Step, axis: int) -> list[tuple[Value, int]] | None:
    """The inputs that an output must owe its differences along an axis to, each with that axis; None if unknown."""
    name, params, source = step.primitive.name, step.params, step.inputs[0]
    shape, old = step.outputs[0].aval.shape, source.aval.shape
    if name == "broadcast_in_dim":
        dimensions = params["broadcast_dimensions"]
        return [(source, dimensions.index(axis))] if axis in dimensions else []
    if name == "transpose":
        return [(source, params["permutation"][axis])]
    if name == "slice":
        return [(source, axis)]
    if name == "squeeze" or name.startswith("reduce_"):
        removed = params["dimensions"] if name == "squeeze" else params.get("axes", ())
        return [(source, [each for each in range(len(old)) if each not in removed][axis])]
    if name == "reshape":
        below = prod(shape[axis + 1 :])
        fits = [each for each, size in enumerate(old) if size == shape[axis] and prod(old[each + 1 :]) == below]
        return [(source, fits[0])] if fits else None
    if name == "dot_general":
        summed, batch = params["dimension_numbers"]
        paired = [[(step.inputs[side], batch[side][place]) for side in (0, 1)] for place in range(len(batch[0]))]
        free = [
            [(step.inputs[side], each)]
            for side in (0, 1)
            for each in range(len(step.inputs[side].aval.shape))
            if each not in (*summed[side], *batch[side])
        ]
        return [*paired, *free][axis]
    return None


def is_random(program: Program, value: Value) -> bool:
    """Whether random numbers are among what a value is computed from."""
    waiting, seen = [value], set()
    while waiting:
        step = program.producers.get(waiting.pop())
        if step is not None and step not in seen:
            seen.add(step)
            if step.primitive.name.startswith(RANDOM):
                return True
            waiting.extend(step.inputs)
    return False
