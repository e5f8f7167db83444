"""The one walker of traced programs: flattens them, names their values, rewrites their steps.

A network is any function that JAX can trace. Its program is flattened into a plain list of steps
(calls, remat and the like inlined), on which adapters find activations and gradient rules find operations. A value that
was given a name (`jax.ad_checkpoint.checkpoint_name`) is the same value: the name stands among the program's marks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core


@dataclass(eq=False, slots=True)
class Value:
    """One array of a program; `known` holds it where it does not depend on the inputs' values."""

    aval: Any
    known: Any = None

    @property
    def scalar(self) -> float | None:
        """The number, where the value is a known constant of one element, or of one number broadcast."""
        real = jnp.issubdtype(self.aval.dtype, jnp.floating) or jnp.issubdtype(self.aval.dtype, jnp.integer)
        if not real or self.known is None or isinstance(self.known, jax.core.Tracer):
            return None
        # `_inline` broadcasts with strides of zero, so that no constant needs to be read for this.
        broadcast = isinstance(self.known, np.ndarray) and self.known.size > 0 and not any(self.known.strides)
        return float(np.asarray(self.known).flat[0]) if broadcast or np.size(self.known) == 1 else None


@dataclass(eq=False, slots=True)
class Step:
    """One equation: `outputs = primitive(*inputs, **params)`, written within the scope `scope`."""

    primitive: core.Primitive
    params: dict[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    scope: str


@dataclass(eq=False)
class Program:
    """A flattened function: steps in the order of execution, and the names that were given to values."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    steps: list[Step]
    marks: list[tuple[str, Value]] = field(default_factory=list)
    producers: dict[Value, Step] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.producers = {value: step for step in self.steps for value in step.outputs}

    @cached_property
    def users(self) -> dict[Value, list[Step]]:
        """The steps that each value goes into."""
        users: dict[Value, list[Step]] = {}
        for step in self.steps:
            for value in step.inputs:
                users.setdefault(value, []).append(step)
        return users


@dataclass(frozen=True)
class Replacement:
    """What runs in a step's place: `function(*inputs)` returns the step's outputs as a tuple."""

    inputs: tuple[Value, ...]
    function: Callable[..., Sequence[jax.Array]]


Rule = Callable[[Program, Step], Replacement | None]

# Calls whose body may stand in their place. A custom_jvp or custom_vjp call may not: its gradient is its own.
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
    jaxpr, consts = open_jaxpr(closed)
    inputs = tuple(Value(var.aval) for var in jaxpr.invars)
    program = Program(inputs, (), [])
    outputs = _inline(jaxpr, consts, inputs, "", program)
    return Program(inputs, outputs, program.steps, program.marks)


def _inline(
    jaxpr: core.Jaxpr, consts: Sequence[Any], inputs: Sequence[Value], scope: str, into: Program
) -> tuple[Value, ...]:
    env: dict[Any, Value] = dict(zip(jaxpr.invars, inputs, strict=True))
    env.update((var, Value(var.aval, const)) for var, const in zip(jaxpr.constvars, consts, strict=True))

    def read(atom: Any) -> Value:
        return Value(atom.aval, atom.val) if isinstance(atom, core.Literal) else env[atom]

    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        values = tuple(read(atom) for atom in eqn.invars)
        within = "/".join(part for part in (scope, str(eqn.source_info.name_stack)) if part)
        if name in INLINED:
            inner, inner_consts = open_jaxpr(eqn.params[INLINED[name]])
            outputs = _inline(inner, inner_consts, values, within, into)
        elif name == "name":
            outputs = values
            into.marks.append((eqn.params["name"], values[0]))
        else:
            outputs = tuple(Value(var.aval) for var in eqn.outvars)
            if name in SHAPING and values[0].scalar is not None:
                number = np.asarray(values[0].scalar, outputs[0].aval.dtype)
                outputs[0].known = np.broadcast_to(number, outputs[0].aval.shape)
            into.steps.append(Step(eqn.primitive, eqn.params, values, outputs, within))
        env.update(zip(eqn.outvars, outputs, strict=True))
    return tuple(read(atom) for atom in jaxpr.outvars)


def open_jaxpr(jaxpr: Any) -> tuple[core.Jaxpr, Sequence[Any]]:
    """A jaxpr and its constants, whether it came closed or open."""
    return (jaxpr.jaxpr, jaxpr.consts) if isinstance(jaxpr, core.ClosedJaxpr) else (jaxpr, ())


def evaluate(
    program: Program, args: Sequence[Any], wanted: Sequence[Value], *, rules: Sequence[Rule] = ()
) -> list[Any]:
    """Runs what `wanted` needs of a program, and no other step; a rule's replacement runs in a step's place.

    Inside scan and cond the rules apply as well. Differentiable, and traceable by every JAX transformation.
    """
    replacements: dict[Step, Replacement] = {}
    needed, steps = set(wanted), []
    for step in reversed(program.steps):
        if needed.isdisjoint(step.outputs):
            continue
        replacement = _first(rules, program, step)
        if replacement is not None:
            replacements[step] = replacement
        needed.update(step.inputs if replacement is None else replacement.inputs)
        steps.append(step)

    env = dict(zip(program.inputs, args, strict=True))

    def read(value: Value) -> Any:
        return env.get(value, value.known)

    for step in reversed(steps):
        replacement = replacements.get(step)
        if replacement is not None:
            results = replacement.function(*map(read, replacement.inputs))
        else:
            results = bind(step, [read(value) for value in step.inputs])
        env.update(zip(step.outputs, results, strict=True))
    return [read(value) for value in wanted]


def cut(program: Program, values: Sequence[Value]) -> Program:
    """A program that takes some of its values as further inputs, after its own, and no longer computes them.

    >>> program, _ = trace(lambda x: jnp.sin(x) * 2.0, np.zeros((), np.float32))
    >>> rest = cut(program, [program.steps[0].outputs[0]])
    >>> evaluate(rest, [None, np.float32(3.0)], rest.outputs)[0].item()
    6.0
    """
    given = set(values)
    # A step of several outputs may still be needed for the others.
    steps = [
        replace(step, outputs=tuple(Value(value.aval) if value in given else value for value in step.outputs))
        for step in program.steps
    ]
    return Program((*program.inputs, *values), program.outputs, steps)


def rewrite(closed: Any, rules: Sequence[Rule]) -> Callable[..., list[Any]]:
    """The function of a jaxpr with the rules applied to its steps."""
    program = flatten(closed)
    return lambda *args: evaluate(program, args, program.outputs, rules=rules)


def walk(program: Program) -> Iterator[tuple[Program, Step]]:
    """Every step of a program and, behind it, those of the scans and conds within."""
    for step in program.steps:
        yield program, step
        for inner in _bodies(step):
            yield from walk(flatten(inner))


def _bodies(step: Step) -> list[core.ClosedJaxpr]:
    if step.primitive.name == "scan":
        return [step.params["jaxpr"]]
    return list(step.params["branches"]) if step.primitive.name == "cond" else []


def _first(rules: Sequence[Rule], program: Program, step: Step) -> Replacement | None:
    for rule in rules:
        replacement = rule(program, step)
        if replacement is not None:
            return replacement
    bodies = [flatten(body) for body in _bodies(step)]
    inside = any(rule(at, inner) is not None for body in bodies for at, inner in walk(body) for rule in rules)
    return _rewrite_body(step, rules) if inside else None


def _rewrite_body(step: Step, rules: Sequence[Rule]) -> Replacement:
    if step.primitive.name == "cond":
        branches = [rewrite(branch, rules) for branch in step.params["branches"]]
        return Replacement(step.inputs, lambda index, *args: lax.switch(index, branches, *args))
    body = rewrite(step.params["jaxpr"], rules)
    fixed, carried = step.params["num_consts"], step.params["num_carry"]

    def run(*args: Any) -> list[Any]:
        def advance(carry: tuple[Any, ...], slices: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            outputs = tuple(body(*args[:fixed], *carry, *slices))
            return outputs[:carried], outputs[carried:]

        options = {name: step.params[name] for name in ("length", "reverse", "unroll")}
        carry, stacked = lax.scan(
            advance, tuple(args[fixed : fixed + carried]), tuple(args[fixed + carried :]), **options
        )
        return [*carry, *stacked]

    return Replacement(step.inputs, run)


def bind(step: Step, args: Sequence[Any]) -> Sequence[Any]:
    """Runs one step."""
    bound = step.primitive.get_bind_params(step.params)
    # A pair (functions, params) until JAX 0.9, one dict since 0.10.
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    with jax.named_scope(step.scope) if step.scope else nullcontext():
        results = step.primitive.bind(*functions, *args, **params)
    return results if step.primitive.multiple_results else [results]
