"""Hard swish and hard sigmoid in a traced program: pieces of lines, which are told by their values.

The ReLU that they are written with, `relu6(x + 3)`, is a part of them and no activation function of its own.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from featviz.tracing.activation_functions import ActivationFunction, Run, elementwise_runs
from featviz.tracing.program import Program, Value, flatten

# What pieces of lines are written with.
LINES: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "max": np.maximum, "min": np.minimum,
    "neg": np.negative, "ge": np.greater_equal, "gt": np.greater, "le": np.less_equal, "lt": np.less,
    "clamp": lambda low, x, high: np.clip(x, low, high), "select_n": lambda which, no, yes: np.where(which, yes, no),
    "convert_element_type": lambda x: x, "copy": lambda x: x, "copy_p": lambda x: x,
}  # fmt: skip
BENDS = {"clamp", "max", "min", "select_n"}
# By PyTorch's slope and by Keras's older one, which is ONNX's too.
KINDS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("hard_swish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("hard_sigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    ("hard_sigmoid", lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
)
# Where functions are compared; beyond the bends on both sides.
SAMPLES = np.linspace(-7, 7, 29)


class HardFunction(NamedTuple):
    """A function, and the values that it is made of on the way to its output."""

    function: ActivationFunction
    within: frozenset[Value]


def find_hard_functions(program: Program, *, known: Collection[Value] = ()) -> Iterator[HardFunction]:
    """The hard swishes and hard sigmoids of a program, in order; a sigmoid that a swish is made of is none.

    Args:
        program: The program.
        known: Values at which a function ends, and another may begin.

    >>> import jax
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: x * jax.nn.relu6(x + 3) / 6, np.zeros(3, np.float32))
    >>> [found.function.kind for found in find_hard_functions(program)]
    ['hard_swish']
    """
    runs = elementwise_runs(program, set(known), set())
    found = {end: kind for end, run in runs.items() if (kind := _kind(program, end, run)) is not None}
    within = {end: _within(runs, end) for end in found}
    parts = frozenset().union(*within.values())
    for end, kind in found.items():
        if end not in parts:
            yield HardFunction(ActivationFunction(kind, runs[end].origin, end), within[end])


def _kind(program: Program, end: Value, run: Run) -> str | None:
    if not run.operations <= LINES.keys() or run.operations.isdisjoint(BENDS) or not run.operations & {"mul", "div"}:
        return None
    if not jnp.issubdtype(end.aval.dtype, jnp.floating):
        return None
    values = _compute(program, end, {run.origin: SAMPLES})
    if np.shape(values) != SAMPLES.shape:
        return None
    return next((kind for kind, function in KINDS if np.allclose(values, function(SAMPLES), atol=1e-3)), None)


def _compute(program: Program, value: Value, known: dict[Value, Any]) -> Any:
    """A value of a run in NumPy, which needs no compilation and takes samples of any shape."""
    if value in known:
        return known[value]
    if value.scalar is not None:
        return value.scalar
    step = program.producers[value]
    given = [_compute(program, each, known) for each in step.inputs]
    if step.primitive.name in LINES:
        known[value] = LINES[step.primitive.name](*given)
    else:
        inner = flatten(step.params["call_jaxpr"])
        known[value] = _compute(inner, inner.outputs[0], dict(zip(inner.inputs, given, strict=True)))
    return known[value]


def _within(runs: dict[Value, Run], end: Value) -> frozenset[Value]:
    found: set[Value] = set()
    waiting = [*runs[end].through]
    while waiting:
        value = waiting.pop()
        if value not in found:
            found.add(value)
            waiting += runs[value].through
    return frozenset(found)
