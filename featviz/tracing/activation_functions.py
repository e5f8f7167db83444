"""Activation functions of a traced program that are no ReLUs: GELU, SiLU, tanh and others, and leaky ReLUs."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import jax.numpy as jnp

from featviz.tracing.program import Program, Step, Value, flatten

# The function is the first whose operations all occur. Softmax's exponential alone is none.
KINDS = (
    ("gelu", {"erf"}), ("gelu", {"erfc"}), ("mish", {"tanh", "log1p"}), ("gelu", {"tanh", "integer_pow"}),
    ("gelu", {"tanh", "mul"}), ("tanh", {"tanh"}), ("silu", {"logistic", "mul"}), ("sigmoid", {"logistic"}),
    ("softplus", {"log1p"}), ("elu", {"expm1"}),
)  # fmt: skip
# All that a leaky ReLU consists of.
LEAKY = ({"ge", "mul", "select_n"}, {"gt", "mul", "select_n"})
# What a CELU consists of, max(x, 0) + expm1(min(x, 0)): the one function of which another, a ReLU, is a part.
CELU = {"max", "min", "expm1", "add"}
# Primitives that work elementwise.
POINTWISE = {
    "abs", "add", "clamp", "convert_element_type", "copy", "copy_p", "div", "eq", "erf", "erfc", "exp", "exp2", "expm1",
    "ge", "gt", "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg",
    "not", "pow", "select_n", "sign", "sqrt", "square", "stop_gradient", "sub", "tanh",
}  # fmt: skip


class ActivationFunction(NamedTuple):
    """`output` is the function `kind` of `input`, elementwise."""

    kind: str
    input: Value
    output: Value


def find_activation_functions(program: Program, *, known: Collection[Value] = ()) -> Iterator[ActivationFunction]:
    """The activation functions of a program in order but for its ReLUs (`featviz.tracing.relu`).

    One is a run of elementwise steps that depend on one value and on constants. It ends at a value that is such a
    function already and from which it would part, as where a norm takes `y = gelu(x)` and its square: the function is
    `y`, not `y * y`.

    Args:
        program: The program.
        known: Values at which a run ends, and another may begin.

    >>> import jax, numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: jax.nn.silu(x + x.mean()), np.zeros(3, np.float32))
    >>> [function.kind for function in find_activation_functions(program)]
    ['silu']
    >>> program, _ = trace(lambda x: jnp.tanh(jax.nn.silu(x)), np.zeros(3, np.float32))
    >>> between = program.steps[-2].outputs[0]
    >>> [function.kind for function in find_activation_functions(program, known={between})]
    ['silu', 'tanh']
    """
    whole = elementwise_runs(program, set(known), set())
    ends = {value for value in _parting(program, whole) if _kind(whole[value].operations)}
    runs = elementwise_runs(program, set(known), ends)
    inner = set().union(*(run.through for run in runs.values())) - ends
    for end, run in runs.items():
        kind = _kind(run.operations)
        if kind is not None and end not in inner and jnp.issubdtype(end.aval.dtype, jnp.floating):
            yield ActivationFunction(kind, run.origin, end)


class Run(NamedTuple):
    """Elementwise steps from `origin` to a value: the names of their operations, and the values just before it."""

    origin: Value
    operations: frozenset[str]
    through: frozenset[Value]


def elementwise_runs(program: Program, known: set[Value], ends: set[Value]) -> dict[Value, Run]:
    """The run that leads to each value that one does.

    Args:
        program: The program.
        known: Values at which every run ends.
        ends: Values at which one ends too, unless the next step takes the run's origin as well, as `x * sigmoid(x)`.
    """
    runs: dict[Value, Run] = {}
    for step in program.steps:
        names = _pointwise_operations(step)
        if names is None or len(step.outputs) != 1:
            continue
        varying = {value for value in step.inputs if value.scalar is None}
        for stops in (known | ends, known, None):
            passed = stops or set[Value]()
            origins = {runs[value].origin if value in runs and value not in passed else value for value in varying}
            if len(origins) == 1:
                break
        else:
            continue
        (origin,) = origins
        through = frozenset(value for value in varying if value in runs and value not in passed)
        operations = frozenset(names).union(*(runs[value].operations for value in through))
        if step.outputs[0].aval.shape == origin.aval.shape and (stops is not None or operations >= CELU):
            runs[step.outputs[0]] = Run(origin, operations, through)
    return runs


def _parting(program: Program, runs: dict[Value, Run]) -> Iterator[Value]:
    """The values of runs that steps of no run take, or from which a run goes on to several such values."""
    outputs = set(program.outputs)
    reached: dict[Value, frozenset[Value]] = {}
    for value in reversed(runs):
        following = [output for step in program.users.get(value, []) for output in step.outputs]
        within = {each for each in following if each in runs and value in runs[each].through}
        leaves = value in outputs or len(within) < len(set(following))
        reached[value] = frozenset({value} if leaves else ()).union(*(reached[each] for each in within))
        if leaves or len({reached[each] for each in within}) > 1:
            yield value


def _kind(operations: frozenset[str]) -> str | None:
    if operations in LEAKY:
        return "leaky_relu"
    return next((kind for kind, needed in KINDS if needed <= operations), None)


def _pointwise_operations(step: Step) -> set[str] | None:
    """The names of a step's operations where all are elementwise, else None."""
    name = step.primitive.name
    if name in POINTWISE:
        return {name}
    if name not in ("custom_jvp_call", "custom_vjp_call"):
        return None
    body = step.params.get("call_jaxpr", step.params.get("fun_jaxpr"))
    if body is None:
        return None
    operations: set[str] = set()
    for inner in flatten(body).steps:
        names = _pointwise_operations(inner)
        if names is None:
            return None
        operations |= names
    return operations
