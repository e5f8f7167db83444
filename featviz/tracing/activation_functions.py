"""Smooth activation functions of a traced program: GELU, SiLU, tanh and others of their kind."""

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
    """The smooth activation functions of a program in order; ReLUs are not among them (`featviz.tracing.relu`).

    One is a run of elementwise steps that depend on one value and on constants.

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
    sources: dict[Value, Value] = {}
    operations: dict[Value, set[str]] = {}
    inner: set[Value] = set()
    for step in program.steps:
        names = _pointwise_operations(step)
        varying = [value for value in step.inputs if value.scalar is None]
        origins = {value if value in known else sources.get(value, value) for value in varying}
        if names is None or len(origins) != 1 or len(step.outputs) != 1:
            continue
        (origin,) = origins
        output = step.outputs[0]
        if output.aval.shape != origin.aval.shape:
            continue
        sources[output] = origin
        before = [value for value in varying if value in operations and value not in known]
        operations[output] = names.union(*(operations[value] for value in before))
        inner.update(before)
    for end in operations:
        if end in inner or not jnp.issubdtype(end.aval.dtype, jnp.floating):
            continue
        kind = next((kind for kind, needed in KINDS if needed <= operations[end]), None)
        if kind is not None:
            yield ActivationFunction(kind, sources[end], end)


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
