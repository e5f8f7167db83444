"""The graph of a network's layers beside their list, drawn as parallel lanes: a lane is a layer still needed below."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Pixels from lane to lane, and the graph's largest width: with many lanes they come closer.
LANE_STEP, MAX_WIDTH = 16, 160


class GraphRow(NamedTuple):
    """A layer in the graph: its lane, lanes that pass it by, its parents' lanes, and whether it has children."""

    lane: int
    passing: tuple[int, ...]
    parents: tuple[int, ...]
    has_children: bool


class GraphCell(NamedTuple):
    """A row as SVG: the path of its lines in a view box of `width` x 100, and the dot's distance from the left."""

    width: int
    path: str
    dot_percent: float


class LayerGraph(NamedTuple):
    """The graph's width in pixels, and a cell for each layer."""

    width: int
    cells: tuple[GraphCell, ...]


def layer_graph(parents: Mapping[str, Sequence[str]]) -> LayerGraph:
    """The drawing of a network's layers, given in forward order with the layers that each directly depends on.

    >>> layer_graph({"a": [], "b": ["a"]}).cells[1]
    GraphCell(width=10, path='M5 0V50', dot_percent=50.0)
    """
    rows = graph_rows(parents)
    lanes = 1 + max((max(row.lane, *row.passing, *row.parents, 0) for row in rows), default=0)
    return LayerGraph(
        width=round(min(LANE_STEP, MAX_WIDTH / lanes) * lanes),
        cells=tuple(GraphCell(10 * lanes, _path(row), 100 * (row.lane + 0.5) / lanes) for row in rows),
    )


def graph_rows(parents: Mapping[str, Sequence[str]]) -> list[GraphRow]:
    """A row for each layer, in forward order; parents that are not among the layers are left out.

    >>> rows = graph_rows({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    >>> [(row.lane, row.parents, row.passing) for row in rows]
    [(0, (), ()), (1, (0,), (0,)), (0, (0,), (1,)), (0, (0, 1), ())]
    """
    order = {name: index for index, name in enumerate(parents)}
    known = {
        name: [other for other in dict.fromkeys(above) if other in order and order[other] < order[name]]
        for name, above in parents.items()
    }
    last_child = {above: name for name in parents for above in known[name]}
    lanes: dict[str, int] = {}
    rows = []
    for name in parents:
        parent_lanes = sorted(lanes[above] for above in known[name])
        for above in known[name]:
            if last_child[above] == name:
                del lanes[above]
        passing = tuple(sorted(lanes.values()))
        # A layer takes the lane of a parent that ends here, if there is one: chains stay straight.
        lane = next((lane for lane in parent_lanes if lane not in passing), None)
        if lane is None:
            lane = next(free for free in range(len(parents)) if free not in passing)
        if name in last_child:
            lanes[name] = lane
        rows.append(GraphRow(lane, passing, tuple(parent_lanes), name in last_child))
    return rows


def _path(row: GraphRow) -> str:
    dot = 10 * row.lane + 5
    lines = [f"M{10 * lane + 5} 0V100" for lane in row.passing]
    for lane in row.parents:
        start = 10 * lane + 5
        lines.append(f"M{start} 0V50" if start == dot else f"M{start} 0C{start} 30 {dot} 20 {dot} 50")
    if row.has_children:
        lines.append(f"M{dot} 50V100")
    return "".join(lines)
