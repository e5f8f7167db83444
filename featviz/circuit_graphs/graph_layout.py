"""Where a circuit's units stand on its page: a column for each level, the root on the right."""

from typing import NamedTuple

from featviz.circuit_graphs.circuit_parts import Circuit, CircuitEdge, CircuitUnit

# Sides of a picture and a map, and the distances between columns and rows, in the view box's units.
SIDE, MAP_SIDE, COLUMN, ROW, MARGIN = 88, 30, 290, 128, 14


class PlacedUnit(NamedTuple):
    """A unit and the upper left corner of its picture."""

    unit: CircuitUnit
    x: float
    y: float


class PlacedEdge(NamedTuple):
    """An edge, its line as an SVG path, and the center of its map."""

    edge: CircuitEdge
    path: str
    x: float
    y: float


class GraphLayout(NamedTuple):
    """The graph's size, units and edges."""

    width: float
    height: float
    units: tuple[PlacedUnit, ...]
    edges: tuple[PlacedEdge, ...]


def lay_out(circuit: Circuit) -> GraphLayout:
    """The places of a circuit's units: each level in the order of what it feeds, so that few lines cross."""
    order: dict[CircuitUnit, float] = {circuit.root: 0.5}
    levels = [list(level) for level in circuit.levels]
    for level in levels[1:]:
        middle = {unit: _mean([order[edge.target] for edge in circuit.edges if edge.source == unit and edge.target in
                               order]) for unit in level}  # fmt: skip
        level.sort(key=lambda unit: middle[unit])  # and of one target by strength
        order |= {unit: (index + 0.5) / len(level) for index, unit in enumerate(level)}
    tallest = max(len(level) for level in levels)
    height = tallest * ROW + 2 * MARGIN
    places: dict[CircuitUnit, tuple[float, float]] = {}
    for depth, level in enumerate(levels):
        x = MARGIN + (len(levels) - 1 - depth) * COLUMN
        for index, unit in enumerate(level):
            places[unit] = (x, MARGIN + (index + 0.5) * (height - 2 * MARGIN) / len(level) - ROW / 2)
    edges = tuple(_edge(edge, places) for edge in circuit.edges if edge.source in places)
    units = tuple(PlacedUnit(unit, x, y) for unit, (x, y) in places.items())
    return GraphLayout((len(levels) - 1) * COLUMN + SIDE + 2 * MARGIN, height, units, edges)


def _edge(edge: CircuitEdge, places: dict[CircuitUnit, tuple[float, float]]) -> PlacedEdge:
    (x0, y0), (x1, y1) = places[edge.source], places[edge.target]
    start, end = (x0 + SIDE, y0 + SIDE / 2), (x1, y1 + SIDE / 2)
    bend = max((end[0] - start[0]) / 2, 20)
    curve = [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]
    # Nearer to the source, where lines are apart.
    x, y = _bezier(curve, 0.36)
    path = "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(*(value for at in curve for value in at))
    return PlacedEdge(edge, path, round(x, 1), round(y, 1))


def _bezier(curve: list[tuple[float, float]], t: float) -> tuple[float, float]:
    shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (sum(share * at[axis] for share, at in zip(shares, curve, strict=True)) for axis in (0, 1))
    return x, y


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.5
