"""Activation functions that a traced program applies: GELU, SiLU, tanh and others of their kind."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import jax.numpy as jnp

from featviz.tracing.program import Program, Step, Value, flatten

# By what is computed on the way: the first that fits. Softmax's exponential alone is none.
KINDS = (
    ("gelu", {"erf"}), ("gelu", {"erfc"}), ("mish", {"tanh", "log1p"}), ("gelu", {"tanh", "integer_pow"}),
    ("gelu", {"tanh", "mul"}), ("tanh", {"tanh"}), ("silu", {"logistic", "mul"}), ("sigmoid", {"logistic"}),
    ("softplus", {"log1p"}), ("elu", {"expm1"}),
)  # fmt: skip
# Steps of one number at a time.
POINTWISE = {
    "abs", "add", "clamp", "convert_element_type", "copy", "copy_p", "div", "eq", "erf", "erfc", "exp", "exp2", "expm1",
    "ge", "gt", "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg",
    "not", "pow", "select_n", "sign", "sqrt", "square", "stop_gradient", "sub", "tanh",
}  # fmt: skip


class Activation(NamedTuple):
    """`output` is the function `kind` of `input`, number by number."""

    kind: str
    input: Value
    output: Value


def find_activations(program: Program, *, known: Collection[Value] = ()) -> Iterator[Activation]:
    """The smooth activation functions of a program in order; ReLUs are not among them (`featviz.tracing.relu`).

    One is a run of steps on single numbers that all go back to one value and to constants; at values that are `known`
    a run ends, and another may begin.

    >>> import jax, numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: jax.nn.silu(x + x.mean()), np.zeros(3, np.float32))
    >>> [found.kind for found in find_activations(program)]
    ['silu']
    >>> program, _ = trace(lambda x: jnp.tanh(jax.nn.silu(x)), np.zeros(3, np.float32))
    >>> [found.kind for found in find_activations(program, known={program.steps[-2].outputs[0]})]
    ['silu', 'tanh']
    """
    source: dict[Value, Value] = {}
    done: dict[Value, set[str]] = {}
    inner: set[Value] = set()
    for step in program.steps:
        names = _pointwise(step)
        varying = [value for value in step.inputs if value.scalar is None]
        origins = {value if value in known else source.get(value, value) for value in varying}
        if names is None or len(origins) != 1 or len(step.outputs) != 1:
            continue
        (origin,) = origins
        if step.outputs[0].aval.shape != origin.aval.shape:
            continue
        source[step.outputs[0]] = origin
        before = [value for value in varying if value in done and value not in known]
        done[step.outputs[0]] = names.union(*(done[value] for value in before))
        inner.update(before)
    ends = (value for value in done if value not in inner and jnp.issubdtype(value.aval.dtype, jnp.floating))
    for end in ends:
        kind = next((kind for kind, needed in KINDS if needed <= done[end]), None)
        if kind is not None:
            yield Activation(kind, source[end], end)


def _pointwise(step: Step) -> set[str] | None:
    """The names of a step's operations, where all are on single numbers."""
    name = step.primitive.name
    if name in POINTWISE:
        return {name}
    if name not in ("custom_jvp_call", "custom_vjp_call"):
        return None
    body = step.params.get("call_jaxpr", step.params.get("fun_jaxpr"))
    inside = [_pointwise(each) for each in flatten(body).steps] if body is not None else [None]
    return None if any(names is None for names in inside) else set().union(*(names or () for names in inside))
