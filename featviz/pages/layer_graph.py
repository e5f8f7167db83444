"""How a network's layers grow from one another, drawn beside their list: one lane for each layer still needed below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A layer's place: its own lane, lanes that pass by, lanes that it grows from, and whether it goes on."""

    lane: int
    passing: tuple[int, ...]
    parents: tuple[int, ...]
    goes_on: bool


def rows(parents: Mapping[str, Sequence[str]]) -> list[Row]:
    """A row for each layer, in forward order; parents that are not shown are left out.

    >>> [(row.lane, row.parents, row.passing) for row in rows({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})]
    [(0, (), ()), (1, (0,), (0,)), (0, (0,), (1,)), (0, (0, 1), ())]
    """
    order = {name: at for at, name in enumerate(parents)}
    known = {
        name: [other for other in dict.fromkeys(above) if other in order and order[other] < order[name]]
        for name, above in parents.items()
    }
    last = {above: name for name in parents for above in known[name]}
    lanes: dict[str, int] = {}
    found = []
    for name in parents:
        grown = sorted(lanes[above] for above in known[name])
        for above in known[name]:
            if last[above] == name:
                del lanes[above]
        passing = tuple(sorted(lanes.values()))
        # A layer goes on in the lane of one that ends here, if there is one: chains stay straight.
        lane = next((lane for lane in grown if lane not in passing), None)
        if lane is None:
            lane = next(free for free in range(len(parents)) if free not in passing)
        if name in last:
            lanes[name] = lane
        found.append(Row(lane, passing, tuple(grown), name in last))
    return found
