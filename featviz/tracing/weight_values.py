"""What of a program depends on its weights alone, so that it can be computed once for many runs."""

from collections.abc import Collection
from math import prod

from featviz.tracing.program import Program, Step, Value

# Steps that rearrange nothing in memory or read a part of it: not worth a copy of a weight.
FREE = {"reshape", "squeeze", "expand_dims", "broadcast_in_dim", "copy", "slice", "dynamic_slice", "gather"}


def weight_values(program: Program, weights: Collection[Value]) -> list[Value]:
    """The values that depend on some of the weights and on nothing else but constants, and that other steps read.

    Values that only repeat a smaller one are left to the steps that read them, and so are weights that are reshaped,
    or transposed for a matrix product alone.

    Args:
      program: a program.
      weights: some of its inputs.

    >>> import numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda w, x: (w * w + 1.0) * x, np.zeros(2, np.float32), np.zeros(2, np.float32))
    >>> [program.producers[value].primitive.name for value in weight_values(program, program.inputs[:1])]
    ['add']
    """
    known = set(weights)
    fixed: list[Step] = []
    for step in program.steps:
        variable = [value for value in step.inputs if value.known is None]
        if variable and known.issuperset(variable) and not _grows(step):
            known.update(step.outputs)
            fixed.append(step)
    chosen = set(fixed)
    for step in reversed(fixed):
        users = [user for value in step.outputs for user in program.users.get(value, [])]
        outside = [user for user in users if user not in chosen]
        if len(outside) == len(users) and _is_free(step, outside):
            chosen.discard(step)
    outputs = set(program.outputs)
    return [
        value
        for step in fixed
        if step in chosen
        for value in step.outputs
        if value in outputs or any(user not in chosen for user in program.users.get(value, []))
    ]


def _grows(step: Step) -> bool:
    """Whether the outputs have more elements than the inputs."""
    count = sum(prod(value.aval.shape) for value in step.inputs)
    return sum(prod(value.aval.shape) for value in step.outputs) > count


def _is_free(step: Step, users: list[Step]) -> bool:
    if step.primitive.name == "transpose":
        return all(user.primitive.name == "dot_general" for user in users)
    return step.primitive.name in FREE
