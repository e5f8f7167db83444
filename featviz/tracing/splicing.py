"""Programs with steps put in: a function of one of their values, and a scan's iterations one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from featviz.tracing.program import Program, Step, Value, scan_counts, trace
from featviz.tracing.scans import Location, Scan, ScanLocation, ValueLocation


def insert(program: Program, value: Value, function: Callable[..., jax.Array], args: Sequence[Any]) -> Program:
    """The program in which `function(value, *args)` stands in a value's place; all that uses the value uses it.

    Args:
        program: The program.
        value: One of its values.
        function: Gives an array like the value.
        args: Arrays, of which shapes and dtypes count: they are further inputs of the program, after its own.

    >>> import numpy as np
    >>> from featviz.tracing.evaluation import evaluate
    >>> program, _ = trace(lambda x: jnp.sin(x) * 2.0, np.zeros((), np.float32))
    >>> changed = insert(program, program.steps[0].outputs[0], lambda h, a: h * 0.0 + a, [np.float32(0.0)])
    >>> evaluate(changed, [np.float32(1.0), np.float32(3.0)], changed.outputs)[0].item()
    6.0
    """
    raw = Value(value.aval)
    inputs = tuple(Value(jax.typeof(jnp.asarray(arg))) for arg in args)
    # A copy, so that a step makes the value also where the function returns one of its arguments.
    inner, _ = trace(lambda *inputs: jnp.copy(function(*inputs)), *map(_shape, (raw, *inputs)))
    added: list[Step] = []
    (result,) = copy_steps(inner, (raw, *inputs), added).outputs
    renamed = {result: value}
    added = [_renamed(step, {}, renamed) for step in added]
    producer = program.producers.get(value)
    steps: list[Step] = [] if producer is not None else added
    for step in program.steps:
        if step is producer:
            steps += [_renamed(step, {}, {value: raw}), *added]
        else:
            steps.append(step)
    own = tuple(raw if each is value else each for each in program.inputs)
    return Program((*own, *inputs), program.outputs, steps, program.marks)


@dataclass(frozen=True)
class Copied:
    """Where a copy has the values and steps of the program that it is a copy of."""

    values: dict[Value, Value]
    steps: dict[Step, Step]
    outputs: tuple[Value, ...]


def copy_steps(inner: Program, inputs: Sequence[Value], into: list[Step]) -> Copied:
    """Appends a program's steps to others, with its inputs replaced and values of its own."""
    values = dict(zip(inner.inputs, inputs, strict=True))
    steps: dict[Step, Step] = {}
    for step in inner.steps:
        values |= {output: Value(output.aval, output.known) for output in step.outputs}
        copied = _renamed(step, values, values)
        # Steps compare by identity, and may be hashed.
        steps[step] = copied
        into.append(copied)
    return Copied(values, steps, tuple(values.get(value, value) for value in inner.outputs))


def unroll(program: Program, scan: Scan) -> tuple[Program, Callable[[Location], Location]]:
    """A scan's iterations one after the other in place of the scan, and where locations are then.

    >>> import numpy as np
    >>> from featviz.tracing.evaluation import evaluate
    >>> def add(carry, x):
    ...     return carry + x, carry * x
    >>> program, _ = trace(lambda x: jax.lax.scan(add, x[0], x), np.ones(3, np.float32))
    >>> scan = Scan(next(step for step in program.steps if step.primitive.name == "scan"))
    >>> flat, _ = unroll(program, scan)
    >>> [value.tolist() for value in evaluate(flat, [np.array([1.0, 2.0, 3.0], np.float32)], flat.outputs)]
    [7.0, [1.0, 4.0, 12.0]]
    """
    consts, carried = scan_counts(scan.step)
    constants, carry = scan.step.inputs[:consts], scan.step.inputs[consts : consts + carried]
    sliced = scan.step.inputs[consts + carried :]
    steps: list[Step] = []
    copies: list[Copied] = []
    stacked: list[tuple[Value, ...]] = []
    for iteration in range(scan.length):
        rows = tuple(_emit(steps, lambda array, at=iteration: array[at], [value]) for value in sliced)
        copied = copy_steps(scan.body, (*constants, *carry, *rows), steps)
        carry, rest = copied.outputs[:carried], copied.outputs[carried:]
        copies.append(copied)
        stacked.append(rest)
    outputs = [_emit(steps, jnp.copy, [value]) for value in carry]
    outputs += [_emit(steps, lambda *rows: jnp.stack(rows), rows) for rows in zip(*stacked, strict=True)]
    names = dict(zip(outputs, scan.step.outputs, strict=True))
    steps = [_renamed(step, {}, names) for step in steps]
    inner_scans: dict[tuple[int, Scan], Scan] = {}
    order = program.steps.index(scan.step)
    # The last renaming made new steps in the same order, so that copies are found by their outputs.
    made = {step.outputs: step for step in steps}

    def moved(location: Location) -> Location:
        if not isinstance(location, ScanLocation) or location.scan.step is not scan.step:
            return location
        copied, inner = copies[location.iteration], location.inner
        if isinstance(inner, ValueLocation):
            return replace(inner, value=copied.values.get(inner.value, inner.value))
        key = (location.iteration, inner.scan)
        if key not in inner_scans:
            inner_scans[key] = Scan(made[copied.steps[inner.scan.step].outputs])
        return replace(inner, scan=inner_scans[key])

    all_steps = [*program.steps[:order], *steps, *program.steps[order + 1 :]]
    return Program(program.inputs, program.outputs, all_steps, program.marks), moved


def _emit(steps: list[Step], function: Callable[..., jax.Array], inputs: Sequence[Value]) -> Value:
    """Appends the steps of a function of values, and gives its result."""
    inner, _ = trace(function, *map(_shape, inputs))
    return copy_steps(inner, inputs, steps).outputs[0]


def _renamed(step: Step, inputs: dict[Value, Value], outputs: dict[Value, Value]) -> Step:
    return replace(
        step,
        inputs=tuple(inputs.get(value, value) for value in step.inputs),
        outputs=tuple(outputs.get(value, value) for value in step.outputs),
    )


def _shape(value: Value) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(value.aval.shape, value.aval.dtype)
