"""A traced network as a flat list of steps, on which layers, ReLUs and gradient rules are found.

A network is any function that JAX can trace. Its jaxpr is flattened: calls, remat and the like are inlined. A value
that was given a name (`jax.ad_checkpoint.checkpoint_name`) stays the same value; the name stands among the program's
marks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.typing import ArrayLike


@dataclass(eq=False, slots=True)
class Value:
    """One array of a program; `known` holds it where it does not depend on the inputs' values."""

    aval: Any
    known: Any = None

    @property
    def scalar(self) -> float | None:
        """The number, where the value is a known constant of one element, or one number broadcast."""
        is_number = jnp.issubdtype(self.aval.dtype, jnp.floating) or jnp.issubdtype(self.aval.dtype, jnp.integer)
        if not is_number or self.known is None or isinstance(self.known, jax.core.Tracer):
            return None
        # `_inline` broadcasts with strides of zero, so that no constant needs to be read for this.
        broadcast = isinstance(self.known, np.ndarray) and self.known.size > 0 and not any(self.known.strides)
        return float(np.asarray(self.known).flat[0]) if broadcast or np.size(self.known) == 1 else None


@dataclass(eq=False, slots=True)
class Step:
    """One equation: `outputs = primitive(*inputs, **params)`, written within the named scope `scope`."""

    primitive: core.Primitive
    params: dict[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    scope: str


@dataclass(eq=False)
class Program:
    """A flattened function: steps in the order of execution, and `marks`, the names that were given to values."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    steps: list[Step]
    marks: list[tuple[str, Value]] = field(default_factory=list)
    producers: dict[Value, Step] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.producers = {value: step for step in self.steps for value in step.outputs}

    @cached_property
    def users(self) -> dict[Value, list[Step]]:
        """The steps that take each value."""
        users: dict[Value, list[Step]] = {}
        for step in self.steps:
            for value in step.inputs:
                users.setdefault(value, []).append(step)
        return users


# Calls that are replaced by their body. A custom_jvp or custom_vjp call is not: its gradient is its own.
INLINED = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr",
           "remat2": "jaxpr", "checkpoint": "jaxpr"}  # fmt: skip
# Steps through which a constant of one number keeps its value.
SHAPING = {"broadcast_in_dim", "reshape", "squeeze", "convert_element_type", "copy"}


def trace(function: Callable[..., Any], *args: Any) -> tuple[Program, Any]:
    """The flattened program of `function(*args)` and the structure of its result.

    >>> program, _ = trace(lambda x: jax.nn.relu(x) + 1.0, np.zeros(3, np.float32))
    >>> [step.primitive.name for step in program.steps]
    ['custom_jvp_call', 'add']
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*args)
    return flatten(closed), shape


def flatten(closed: core.ClosedJaxpr | core.Jaxpr) -> Program:
    """A jaxpr as a Program, with calls inlined and constants known."""
    jaxpr, consts = _open(closed)
    inputs = tuple(Value(var.aval) for var in jaxpr.invars)
    program = Program(inputs, (), [])
    outputs = _inline(jaxpr, consts, inputs, "", program)
    return Program(inputs, outputs, program.steps, program.marks)


def walk(program: Program) -> Iterator[tuple[Program, Step]]:
    """Every step of a program and, behind it, those of the scans and conds within."""
    for step in program.steps:
        yield program, step
        for body in inner_jaxprs(step):
            yield from walk(flatten(body))


def inner_jaxprs(step: Step) -> list[core.ClosedJaxpr]:
    """The body of a scan, the branches of a cond; none of any other step."""
    if step.primitive.name == "scan":
        return [step.params["jaxpr"]]
    return list(step.params["branches"]) if step.primitive.name == "cond" else []


class ScanCounts(NamedTuple):
    """How many of a scan's inputs are constants, and how many are carried; the others are sliced."""

    constants: int
    carried: int


def scan_counts(step: Step) -> ScanCounts:
    """The counts of a scan's inputs.

    >>> def add(carry, x):
    ...     return carry + x, None
    >>> program, _ = trace(lambda x: jax.lax.scan(add, x[0], x), np.zeros(3, np.float32))
    >>> scan_counts(next(step for step in program.steps if step.primitive.name == "scan"))
    ScanCounts(constants=0, carried=1)
    """
    if "num_carry" in step.params:
        return ScanCounts(step.params["num_consts"], step.params["num_carry"])
    # JAX 0.12 keeps trees of the inputs in their place.
    constants, carried, _ = step.params["ft_in"].unpack()
    return ScanCounts(len(constants), len(carried))


def bind(step: Step, args: Sequence[ArrayLike]) -> Sequence[jax.Array]:
    """Runs one step on the given arrays."""
    bound = step.primitive.get_bind_params(step.params)
    # A pair (functions, params) until JAX 0.9, one dict since 0.10.
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    with jax.named_scope(step.scope) if step.scope else nullcontext():
        results = step.primitive.bind(*functions, *args, **params)
    return results if step.primitive.multiple_results else [results]


def _open(jaxpr: core.ClosedJaxpr | core.Jaxpr) -> tuple[core.Jaxpr, Sequence[ArrayLike]]:
    """A jaxpr and its constants."""
    return (jaxpr.jaxpr, jaxpr.consts) if isinstance(jaxpr, core.ClosedJaxpr) else (jaxpr, ())


def _inline(
    jaxpr: core.Jaxpr, consts: Sequence[ArrayLike], inputs: Sequence[Value], scope: str, into: Program
) -> tuple[Value, ...]:
    env: dict[core.Var, Value] = dict(zip(jaxpr.invars, inputs, strict=True))
    env.update((var, Value(var.aval, const)) for var, const in zip(jaxpr.constvars, consts, strict=True))

    def read(atom: core.Var | core.Literal) -> Value:
        return Value(atom.aval, atom.val) if isinstance(atom, core.Literal) else env[atom]

    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        values = tuple(read(atom) for atom in eqn.invars)
        inner_scope = "/".join(part for part in (scope, str(eqn.source_info.name_stack)) if part)
        if name in INLINED:
            inner, inner_consts = _open(eqn.params[INLINED[name]])
            outputs = _inline(inner, inner_consts, values, inner_scope, into)
        elif name == "name":
            outputs = values
            into.marks.append((eqn.params["name"], values[0]))
        else:
            outputs = tuple(Value(var.aval) for var in eqn.outvars)
            if name in SHAPING and values[0].scalar is not None:
                constant = np.asarray(values[0].scalar, outputs[0].aval.dtype)
                outputs[0].known = np.broadcast_to(constant, outputs[0].aval.shape)
            into.steps.append(Step(eqn.primitive, eqn.params, values, outputs, inner_scope))
        env.update(zip(eqn.outvars, outputs, strict=True))
    return tuple(read(atom) for atom in jaxpr.outvars)
