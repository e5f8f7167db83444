"""Values inside a network's scans: a scan is rewritten to stop after the one that is asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
from jax import lax

from featviz.tracing.preactivation import evaluate_before, rectified
from featviz.tracing.program import Program, Replacement, Step, Value, evaluate, flatten


@dataclass(eq=False)
class Loop:
    """A scan of a program, and the program of its body, whose inputs are constants, carried values and slices."""

    step: Step

    @cached_property
    def body(self) -> Program:
        return flatten(self.step.params["jaxpr"])

    @cached_property
    def rectified(self) -> set[Value]:
        return rectified(self.body)

    @property
    def length(self) -> int:
        return int(self.step.params["length"])


@dataclass(frozen=True)
class Spot:
    """A value of a program or, with `before`, what goes into the ReLU that it comes out of."""

    value: Value
    before: bool = False


@dataclass(frozen=True)
class Inside:
    """A spot of a scan's body, in the iteration `index`."""

    loop: Loop
    index: int
    spot: "Spot | Inside"


Place = Spot | Inside


def compute(program: Program, args: Sequence[Any], places: Sequence[Place]) -> list[Any]:
    """The values at places of a program, and no step more than they need.

    What lies in iteration 3 of a scan takes three iterations and the part of the fourth that leads to it, unless the
    scan has to run to its end for something else.
    """
    loops = {place.loop: None for place in places if isinstance(place, Inside)}
    plain = [place.value for place in places if isinstance(place, Spot) and not place.before]
    before = [place.value for place in places if isinstance(place, Spot) and place.before]
    feeding = [value for loop in loops for value in loop.step.inputs]
    within = {loop: [place for place in places if isinstance(place, Inside) and place.loop is loop] for loop in loops}
    found: dict[Place, Any] = {}

    def whole(program: Program, step: Step) -> Replacement | None:
        loop = next((loop for loop in loops if loop.step is step), None)
        return None if loop is None else Replacement(step.inputs, lambda *given: _collect(loop, given, within, found))

    values = evaluate(program, args, [*plain, *feeding], rules=[whole] if loops else ())
    found |= {Spot(value): result for value, result in zip(plain, values[: len(plain)], strict=True)}
    fed = dict(zip(feeding, values[len(plain) :], strict=True))
    for loop in loops:
        if within[loop][0] not in found:
            found |= _stop(loop, [fed[value] for value in loop.step.inputs], within[loop])
    if before:
        found |= {Spot(value, True): x for value, x in zip(before, evaluate_before(program, args, before), strict=True)}
    return [found[place] for place in places]


def _collect(loop: Loop, given: Sequence[Any], within: dict[Loop, list[Inside]], found: dict[Place, Any]) -> list[Any]:
    """The whole scan's outputs; on the way, what lies at the places within it."""
    outputs, collected = _run(loop, given, loop.length, within[loop], outputs=True)
    found |= collected
    return outputs


def _stop(loop: Loop, given: Sequence[Any], places: Sequence[Inside]) -> dict[Place, Any]:
    """What lies at the places, from a scan that stops where the last of them is reached."""
    last = max(place.index for place in places)
    carry, found = _run(loop, given, last, [place for place in places if place.index < last], outputs=False)
    fixed, carried = loop.step.params["num_consts"], loop.step.params["num_carry"]
    slices = [jax.tree.map(lambda array: array[last], array) for array in given[fixed + carried :]]
    final = [place for place in places if place.index == last]
    values = compute(loop.body, [*given[:fixed], *carry, *slices], [place.spot for place in final])
    return found | dict(zip(final, values, strict=True))


def _run(
    loop: Loop, given: Sequence[Any], length: int, places: Iterable[Inside], *, outputs: bool
) -> tuple[list[Any], dict[Place, Any]]:
    """The first iterations of a scan: its outputs or what it carries at the end, and what lies at the places."""
    places = list(places)
    spots = list(dict.fromkeys(place.spot for place in places))
    fixed, carried = loop.step.params["num_consts"], loop.step.params["num_carry"]
    results = loop.body.outputs if outputs else loop.body.outputs[:carried]

    def advance(carry: Sequence[Any], slices: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        values = compute(loop.body, [*given[:fixed], *carry, *slices], [*map(Spot, results), *spots])
        return values[:carried], values[carried:]

    first = list(given[fixed : fixed + carried])
    if length == 0:
        return first, {}
    slices = [array[:length] for array in given[fixed + carried :]]
    carry, stacked = lax.scan(advance, first, slices, length=length, unroll=loop.step.params["unroll"])
    rows = dict(zip(spots, stacked[len(results) - carried :], strict=True))
    return [*carry, *stacked[: len(results) - carried]], {place: rows[place.spot][place.index] for place in places}
