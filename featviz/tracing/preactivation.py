"""Pre-activations: a layer's values as they are without its last ReLUs, also where it only gathers their outputs."""

from collections.abc import Sequence

import jax
from jax.typing import ArrayLike

from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import Program, Step, Value, bind
from featviz.tracing.relu import find_relus

# Steps whose outputs are not negative where their inputs are not.
GATHERING = {"concatenate", "reduce_window_max", "reshape", "transpose", "copy"}


def rectified_values(program: Program) -> set[Value]:
    """The outputs of ReLUs, and what only gathers, pools or reshapes them."""
    rectified = {relu.output for relu in find_relus(program)}
    for step in program.steps:
        if step.primitive.name in GATHERING and rectified.issuperset(step.inputs):
            rectified.update(step.outputs)
    return rectified


def evaluate_preactivations(program: Program, args: Sequence[ArrayLike], wanted: Sequence[Value]) -> list[jax.Array]:
    """The pre-activations of rectified values; a step that gathers ReLUs' outputs gathers their inputs instead.

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: jnp.concatenate([jax.nn.relu(x), jax.nn.relu(2 * x)]), np.zeros(1, np.float32))
    >>> evaluate_preactivations(program, [jnp.array([-1.0])], program.outputs)[0].tolist()
    [-1.0, -2.0]
    """
    relu_inputs = {relu.output: relu.input for relu in find_relus(program)}
    gathering: list[Step] = []
    leaves: dict[Value, None] = {}
    waiting = list(wanted)
    while waiting:
        value = waiting.pop()
        if value in relu_inputs:
            leaves[relu_inputs[value]] = None
        else:
            step = program.producers[value]
            gathering.append(step)
            waiting.extend(step.inputs)
    results = dict(zip(leaves, evaluate(program, args, list(leaves)), strict=True))
    env = {output: results[value] for output, value in relu_inputs.items() if value in results}
    order = {step: index for index, step in enumerate(program.steps)}
    for step in sorted(set(gathering), key=order.__getitem__):
        env.update(zip(step.outputs, bind(step, [env[value] for value in step.inputs]), strict=True))
    return [env[value] for value in wanted]
