"""What goes into the ReLUs whose outputs a layer gathers: a layer's values as they would be without its last ReLU."""

from collections.abc import Mapping, Sequence
from typing import Any

from featviz.tracing.program import Program, Step, Value, bind, evaluate
from featviz.tracing.relu import find_relus

# Steps that leave nothing below zero where nothing was.
GATHERING = {"concatenate", "reduce_window_max", "reshape", "transpose", "copy"}


def rectified(program: Program) -> set[Value]:
    """The outputs of ReLUs, and what only gathers, pools or reshapes them."""
    shut = {relu.output for relu in find_relus(program)}
    for step in program.steps:
        if step.primitive.name in GATHERING and shut.issuperset(step.inputs):
            shut.update(step.outputs)
    return shut


def evaluate_before(program: Program, args: Sequence[Any], wanted: Sequence[Value]) -> list[Any]:
    """The values of rectified layers with their last ReLUs left out; what gathers their outputs gathers the inputs.

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: jnp.concatenate([jax.nn.relu(x), jax.nn.relu(2 * x)]), np.zeros(1, np.float32))
    >>> evaluate_before(program, [jnp.array([-1.0])], program.outputs)[0].tolist()
    [-1.0, -2.0]
    """
    inputs = {relu.output: relu.input for relu in find_relus(program)}
    gathered: list[Step] = []
    leaves: dict[Value, None] = {}
    waiting = list(wanted)
    while waiting:
        value = waiting.pop()
        if value in inputs:
            leaves[inputs[value]] = None
        else:
            step = program.producers[value]
            gathered.append(step)
            waiting.extend(step.inputs)
    found: Mapping[Value, Any] = dict(zip(leaves, evaluate(program, args, list(leaves)), strict=True))
    env = {output: found[value] for output, value in inputs.items() if value in found}
    order = {step: number for number, step in enumerate(program.steps)}
    for step in sorted(set(gathered), key=order.__getitem__):
        env.update(zip(step.outputs, bind(step, [env[value] for value in step.inputs]), strict=True))
    return [env[value] for value in wanted]
