"""A traced program run: only the steps that are needed, some of them replaced by rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
from jax import lax
from jax.extend import core
from jax.typing import ArrayLike

from featviz.tracing.program import Program, Step, Value, bind, flatten, inner_jaxprs, scan_counts, walk


@dataclass(frozen=True)
class Replacement:
    """What runs in place of a step: `function(*inputs)` returns the step's outputs as a tuple."""

    inputs: tuple[Value, ...]
    function: Callable[..., Sequence[jax.Array]]


Arrays = tuple[jax.Array, ...]
# The replacement of a step of a program, or None to leave it as it is.
Rule = Callable[[Program, Step], Replacement | None]


def evaluate(
    program: Program, args: Sequence[ArrayLike | None], wanted: Sequence[Value], *, rules: Sequence[Rule] = ()
) -> list[jax.Array]:
    """The values `wanted` of a program; runs the steps that they need and no other.

    Differentiable, and traceable by every JAX transformation.

    Args:
        program: The program.
        args: Arrays for the program's inputs, in order; None where no wanted value needs the input.
        wanted: Values of the program.
        rules: The first rule that gives a replacement of a step has it run in the step's place, also inside scans and
            conds.
    """
    replacements: dict[Step, Replacement] = {}
    needed, steps = set(wanted), []
    for step in reversed(program.steps):
        if needed.isdisjoint(step.outputs):
            continue
        replacement = _first_replacement(rules, program, step)
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

    >>> import jax.numpy as jnp, numpy as np
    >>> from featviz.tracing.program import trace
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


def rewrite(closed: core.ClosedJaxpr, rules: Sequence[Rule]) -> Callable[..., list[jax.Array]]:
    """The function of a jaxpr with the rules applied to its steps."""
    program = flatten(closed)
    return lambda *args: evaluate(program, args, program.outputs, rules=rules)


def _first_replacement(rules: Sequence[Rule], program: Program, step: Step) -> Replacement | None:
    for rule in rules:
        replacement = rule(program, step)
        if replacement is not None:
            return replacement
    bodies = [flatten(body) for body in inner_jaxprs(step)]
    applies = any(rule(inner, part) is not None for body in bodies for inner, part in walk(body) for rule in rules)
    return _rewrite_body(step, rules) if applies else None


def _rewrite_body(step: Step, rules: Sequence[Rule]) -> Replacement:
    """A scan or a cond with the rules applied inside."""
    if step.primitive.name == "cond":
        branches = [rewrite(branch, rules) for branch in step.params["branches"]]
        return Replacement(step.inputs, lambda index, *args: lax.switch(index, branches, *args))
    body = rewrite(step.params["jaxpr"], rules)
    consts, carried = scan_counts(step)

    def run(*args: jax.Array) -> list[jax.Array]:
        def advance(carry: Arrays, slices: Arrays) -> tuple[Arrays, Arrays]:
            outputs = tuple(body(*args[:consts], *carry, *slices))
            return outputs[:carried], outputs[carried:]

        options = {name: step.params[name] for name in ("length", "reverse", "unroll")}
        carry, stacked = lax.scan(
            advance, tuple(args[consts : consts + carried]), tuple(args[consts + carried :]), **options
        )
        return [*carry, *stacked]

    return Replacement(step.inputs, run)
