"""From which named values each named value of a traced network is computed."""

from collections.abc import Mapping, Sequence

from featviz.tracing.program import Program, Value
from featviz.tracing.scans import Loop, Place, Spot

Names = frozenset[str]


def parents(program: Program, places: Mapping[str, Place]) -> dict[str, tuple[str, ...]]:
    """The nearest named values that each named value is computed from, in forward order."""
    rank = {name: number for number, name in enumerate(places)}
    found: dict[str, Names] = {}
    _follow(program, places, {}, found)
    return {name: tuple(sorted(found.get(name, ()), key=rank.__getitem__)) for name in places}


def _follow(
    program: Program, places: Mapping[str, Place], given: dict[Value, Names], found: dict[str, Names]
) -> list[Names]:
    """The nearest names at or above each output of a program; `given` are those above its inputs."""
    names = {place.value: name for name, place in places.items() if isinstance(place, Spot)}
    loops: dict[Loop, dict[int, dict[str, Place]]] = {}
    for name, place in places.items():
        if not isinstance(place, Spot):
            loops.setdefault(place.loop, {}).setdefault(place.index, {})[name] = place.spot
    by_step = {loop.step: loop for loop in loops}
    above = dict(given)

    def at(value: Value) -> Names:
        return frozenset({names[value]}) if value in names else above.get(value, frozenset())

    for step in program.steps:
        inputs = [at(value) for value in step.inputs]
        if step in by_step:
            above.update(zip(step.outputs, _repeat(by_step[step], loops[by_step[step]], inputs, found), strict=True))
        else:
            above.update(dict.fromkeys(step.outputs, frozenset().union(*inputs)))
    found.update(
        {name: above.get(place.value, frozenset()) for name, place in places.items() if isinstance(place, Spot)}
    )
    return [at(value) for value in program.outputs]


def _repeat(
    loop: Loop, places: Mapping[int, Mapping[str, Place]], inputs: Sequence[Names], found: dict[str, Names]
) -> list[Names]:
    """The same of a scan, iteration by iteration."""
    fixed, carried = loop.step.params["num_consts"], loop.step.params["num_carry"]
    given = list(inputs)
    stacked: list[Names] = [frozenset()] * (len(loop.body.outputs) - carried)
    for index in range(loop.length):
        results = _follow(loop.body, places.get(index, {}), dict(zip(loop.body.inputs, given, strict=True)), found)
        given[fixed : fixed + carried] = results[:carried]
        stacked = [old | new for old, new in zip(stacked, results[carried:], strict=True)]
    return [*given[fixed : fixed + carried], *stacked]
