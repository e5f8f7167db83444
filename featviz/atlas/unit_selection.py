"""Which units of each layer an atlas covers, and ranges of unit indices."""

from collections.abc import Iterable, Mapping, Sequence

from featviz.errors import FeatvizError, suggest
from featviz.model import Model
from featviz.rendering.checks import check_count

# Unit indices for every layer that has them, or layer -> unit indices.
Units = Iterable[int] | Mapping[str, Iterable[int]]


def select_units(model: Model, layers: Sequence[str], units: Units | None) -> dict[str, tuple[int, ...]]:
    """The selected units of each layer, ascending.

    Args:
      model: the network.
      layers: the planned layers.
      units: None for all units; indices, of which each layer takes those that it has; or layer -> indices.

    Raises:
      FeatvizError: for an index that no layer has, one that its layer lacks, a layer that is not planned, or an empty
        selection.
    """
    counts = {layer: model.layer(layer).units for layer in layers}
    if units is None:
        return {layer: tuple(range(count)) for layer, count in counts.items()}
    if isinstance(units, Mapping):
        for layer in units:
            if layer not in counts:
                raise FeatvizError(f"`units` names {layer}, which is not planned; {suggest(layer, layers)}")
        selected = {layer: _ascending(units.get(layer, ()), count) for layer, count in counts.items()}
    else:
        indices = _ascending(units, max(counts.values()))
        selected = {layer: tuple(unit for unit in indices if unit < count) for layer, count in counts.items()}
    if not any(selected.values()):
        raise FeatvizError("`units` is empty; expected indices of units")
    return selected


def _ascending(units: Iterable[int], count: int) -> tuple[int, ...]:
    found = list(units)
    # The largest first: that is the one that a range out of bounds was given by.
    for unit in (max(found), *found) if found and all(isinstance(unit, int) for unit in found) else found:
        check_count("units", unit, 0, count - 1)
    return tuple(sorted(set(found)))


def consecutive_ranges(units: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending indices as ranges of neighbors: (first, count).

    >>> consecutive_ranges([0, 1, 2, 5, 7, 8])
    [(0, 3), (5, 1), (7, 2)]
    """
    ranges: list[tuple[int, int]] = []
    for unit in units:
        if ranges and sum(ranges[-1]) == unit:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + 1)
        else:
            ranges.append((unit, 1))
    return ranges


def format_units(units: Iterable[int]) -> str:
    """Ascending indices as the command line takes them.

    >>> format_units([0, 1, 2, 5])
    '0-2,5'
    """
    return ",".join(
        str(first) if count == 1 else f"{first}-{first + count - 1}" for first, count in consecutive_ranges(units)
    )
