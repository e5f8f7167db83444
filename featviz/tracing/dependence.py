"""What of a traced program depends on some of its values, and scans made plain where they do."""

from collections.abc import Callable, Collection

from featviz.tracing.program import Program, Step, Value
from featviz.tracing.scans import Scan
from featviz.tracing.splicing import unroll


def dependents(
    program: Program, sources: Collection[Value], *, barred: Callable[[Step], bool] = lambda step: False
) -> set[Value]:
    """The values that are computed from `sources`, and these themselves, by steps that are not barred.

    >>> import numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x, w: (x * w, w * w), np.ones(3, np.float32), np.ones(3, np.float32))
    >>> found = dependents(program, program.inputs[:1])
    >>> [value in found for value in program.outputs]
    [True, False]
    """
    found = set(sources)
    for step in program.steps:
        if not found.isdisjoint(step.inputs) and not barred(step):
            found.update(step.outputs)
    return found


def unroll_dependent_scans(program: Program, sources: Collection[Value]) -> Program:
    """The program with every scan that depends on `sources` unrolled, so that rules see which values do."""
    while True:
        found = dependents(program, sources)
        scan = next(
            (
                step
                for step in program.steps
                if step.primitive.name == "scan" and not step.params["reverse"] and not found.isdisjoint(step.outputs)
            ),
            None,
        )
        if scan is None:
            return program
        program, _ = unroll(program, Scan(scan))
