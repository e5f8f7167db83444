"""The graph of a network's layers: from which named values each named value is computed."""

from collections.abc import Mapping, Sequence

from featviz.tracing.program import Program, Value, scan_counts
from featviz.tracing.scans import Location, Scan, ValueLocation

Names = frozenset[str]


def find_parents(program: Program, locations: Mapping[str, Location]) -> dict[str, tuple[str, ...]]:
    """The nearest named values that each named value is computed from, in forward order."""
    rank = {name: index for index, name in enumerate(locations)}
    ancestors: dict[str, Names] = {}
    _follow(program, locations, {}, ancestors)
    return {name: tuple(sorted(ancestors.get(name, ()), key=rank.__getitem__)) for name in locations}


def _follow(
    program: Program,
    locations: Mapping[str, Location],
    above_inputs: Mapping[Value, Names],
    ancestors: dict[str, Names],
) -> list[Names]:
    """The nearest names at or above each output of a program; fills `ancestors` for the locations within."""
    names: dict[Value, str] = {}
    scans: dict[Scan, dict[int, dict[str, Location]]] = {}
    for name, location in locations.items():
        if isinstance(location, ValueLocation):
            names[location.value] = name
        else:
            scans.setdefault(location.scan, {}).setdefault(location.iteration, {})[name] = location.inner
    by_step = {scan.step: scan for scan in scans}
    above = dict(above_inputs)

    def nearest(value: Value) -> Names:
        return frozenset({names[value]}) if value in names else above.get(value, frozenset())

    for step in program.steps:
        inputs = [nearest(value) for value in step.inputs]
        if step in by_step:
            scan = by_step[step]
            above.update(zip(step.outputs, _follow_scan(scan, scans[scan], inputs, ancestors), strict=True))
        else:
            above.update(dict.fromkeys(step.outputs, frozenset().union(*inputs)))
    for name, location in locations.items():
        if isinstance(location, ValueLocation):
            ancestors[name] = above.get(location.value, frozenset())
    return [nearest(value) for value in program.outputs]


def _follow_scan(
    scan: Scan,
    locations: Mapping[int, Mapping[str, Location]],
    inputs: Sequence[Names],
    ancestors: dict[str, Names],
) -> list[Names]:
    """The same for a scan, iteration by iteration."""
    consts, carried = scan_counts(scan.step)
    above_inputs = list(inputs)
    stacked: list[Names] = [frozenset()] * (len(scan.body.outputs) - carried)
    for iteration in range(scan.length):
        above = dict(zip(scan.body.inputs, above_inputs, strict=True))
        results = _follow(scan.body, locations.get(iteration, {}), above, ancestors)
        above_inputs[consts : consts + carried] = results[:carried]
        stacked = [old | new for old, new in zip(stacked, results[carried:], strict=True)]
    return [*above_inputs[consts : consts + carried], *stacked]
