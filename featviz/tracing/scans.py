"""Values inside a network's scans: a scan is rewritten to stop after the iteration that is asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import jax
from jax import lax
from jax.typing import ArrayLike

from featviz.tracing.evaluation import Replacement, evaluate
from featviz.tracing.preactivation import evaluate_preactivations, rectified_values
from featviz.tracing.program import Program, Step, Value, flatten, scan_counts


@dataclass(eq=False)
class Scan:
    """A scan of a program, and the program of its body, whose inputs are constants, carried values and slices."""

    step: Step

    @cached_property
    def body(self) -> Program:
        """The body as a program."""
        return flatten(self.step.params["jaxpr"])

    @cached_property
    def rectified(self) -> set[Value]:
        """The rectified values of the body."""
        return rectified_values(self.body)

    @property
    def length(self) -> int:
        """The number of iterations."""
        return int(self.step.params["length"])


@dataclass(frozen=True)
class ValueLocation:
    """A value of a program, or with `before_relu` the input of the ReLU that it comes out of."""

    value: Value
    before_relu: bool = False

    def preactivation(self) -> "ValueLocation":
        """The location of its pre-activation."""
        return replace(self, before_relu=True)

    def is_rectified(self, rectified: set[Value]) -> bool:
        """Whether it comes out of ReLUs; `rectified` are the rectified values of the program that it is in."""
        return self.value in rectified


@dataclass(frozen=True)
class ScanLocation:
    """A location in a scan's body, in one iteration."""

    scan: Scan
    iteration: int
    inner: "ValueLocation | ScanLocation"

    def preactivation(self) -> "ScanLocation":
        """The location of its pre-activation."""
        return replace(self, inner=self.inner.preactivation())

    def is_rectified(self, rectified: set[Value]) -> bool:
        """Whether it comes out of ReLUs, inside the scan."""
        return self.inner.is_rectified(self.scan.rectified)


Location = ValueLocation | ScanLocation


def compute(program: Program, args: Sequence[ArrayLike], locations: Sequence[Location]) -> list[jax.Array]:
    """The values at locations of a program; no step runs that they do not need.

    A value in iteration 3 of a scan takes three iterations and the part of the fourth that leads to it, unless
    something else needs the scan's end.
    """
    scans = {location.scan: None for location in locations if isinstance(location, ScanLocation)}
    plain = [each.value for each in locations if isinstance(each, ValueLocation) and not each.before_relu]
    before = [each.value for each in locations if isinstance(each, ValueLocation) and each.before_relu]
    scan_inputs = [value for scan in scans for value in scan.step.inputs]
    inside: dict[Scan, list[ScanLocation]] = {scan: [] for scan in scans}
    for location in locations:
        if isinstance(location, ScanLocation):
            inside[location.scan].append(location)
    results: dict[Location, jax.Array] = {}

    def run_to_the_end(program: Program, step: Step) -> Replacement | None:
        scan = next((scan for scan in scans if scan.step is step), None)
        if scan is None:
            return None

        def run(*inputs: jax.Array) -> list[jax.Array]:
            outputs, collected = _run(scan, inputs, scan.length, inside[scan], outputs=True)
            results.update(collected)
            return outputs

        return Replacement(step.inputs, run)

    values = evaluate(program, args, [*plain, *scan_inputs], rules=[run_to_the_end] if scans else ())
    results |= {ValueLocation(value): result for value, result in zip(plain, values[: len(plain)], strict=True)}
    inputs = dict(zip(scan_inputs, values[len(plain) :], strict=True))
    for scan in scans:
        if inside[scan][0] not in results:
            results |= _stop_early(scan, [inputs[value] for value in scan.step.inputs], inside[scan])
    if before:
        preactivations = evaluate_preactivations(program, args, before)
        results |= {ValueLocation(value, True): x for value, x in zip(before, preactivations, strict=True)}
    return [results[location] for location in locations]


def _stop_early(
    scan: Scan, inputs: Sequence[jax.Array], locations: Sequence[ScanLocation]
) -> dict[Location, jax.Array]:
    """The values at the locations, from a scan that stops where the last of them is reached."""
    last = max(location.iteration for location in locations)
    carry, results = _run(scan, inputs, last, [each for each in locations if each.iteration < last], outputs=False)
    consts, carried = scan_counts(scan.step)
    slices = [jax.tree.map(lambda array: array[last], array) for array in inputs[consts + carried :]]
    final = [location for location in locations if location.iteration == last]
    values = compute(scan.body, [*inputs[:consts], *carry, *slices], [location.inner for location in final])
    return results | dict(zip(final, values, strict=True))


def _run(
    scan: Scan, inputs: Sequence[jax.Array], length: int, locations: Iterable[ScanLocation], *, outputs: bool
) -> tuple[list[jax.Array], dict[Location, jax.Array]]:
    """The first iterations of a scan: its outputs, or what it carries at the end, and the values at the locations."""
    locations = list(locations)
    inner = list(dict.fromkeys(location.inner for location in locations))
    consts, carried = scan_counts(scan.step)
    kept = scan.body.outputs if outputs else scan.body.outputs[:carried]

    def advance(carry: Sequence[jax.Array], slices: Sequence[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
        values = compute(scan.body, [*inputs[:consts], *carry, *slices], [*map(ValueLocation, kept), *inner])
        return values[:carried], values[carried:]

    first = list(inputs[consts : consts + carried])
    if length == 0:
        return first, {}
    slices = [array[:length] for array in inputs[consts + carried :]]
    carry, stacked = lax.scan(advance, first, slices, length=length, unroll=scan.step.params["unroll"])
    rows = dict(zip(inner, stacked[len(kept) - carried :], strict=True))
    results: dict[Location, jax.Array] = {location: rows[location.inner][location.iteration] for location in locations}
    return [*carry, *stacked[: len(kept) - carried]], results
