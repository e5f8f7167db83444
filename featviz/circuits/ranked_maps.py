"""The maps of the strongest links, kept beside their ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float16

from featviz.circuits.expanded_weights import Expanded
from featviz.circuits.ranking import RankedRows

WeightMap = Float16[np.ndarray, "rows columns"]


class LinkedMap(NamedTuple):
    """A linked unit, its value, and its map in the units of that value; None where maps are not kept."""

    unit: int
    value: float
    map: Float[np.ndarray, "rows columns"] | None


@dataclass(frozen=True)
class RankedMaps:
    """Ranks, and the maps of the units that they name.

    Attributes:
      ranked: the strongest units of each row.
      maps: theirs, relative to `scales`; None where they are not kept.
      scales: the size that a map's 1 stands for.
    """

    ranked: RankedRows
    maps: Float16[np.ndarray, "units count rows columns"] | None
    scales: Float[np.ndarray, "units count"]

    def row(self, index: int) -> list[LinkedMap]:
        """The links of one unit, the strongest first."""
        found = []
        for place, (unit, value) in enumerate(self.ranked.row(index)):
            scaled = None
            if self.maps is not None:
                scaled = self.maps[index, place].astype(np.float32) * self.scales[index, place]
            found.append(LinkedMap(unit, value, scaled))
        return found


def input_maps(expanded: Expanded, ranked: RankedRows) -> RankedMaps:
    """The maps of each unit's strongest inputs."""
    columns = np.maximum(ranked.columns, 0)
    scales = np.repeat(expanded.scales[:, None], columns.shape[1], 1)
    if expanded.maps is None:
        return RankedMaps(ranked, None, scales)
    return RankedMaps(ranked, expanded.maps[np.arange(len(columns))[:, None], :, :, columns], scales)


def output_maps(expanded: Expanded, ranked: RankedRows, norms: Float[np.ndarray, " units"]) -> RankedMaps:
    """The maps of each lower unit's strongest outputs, as shares of the norms of the units above."""
    rows = np.maximum(ranked.columns, 0)
    scales = expanded.scales[rows] / norms[rows]
    if expanded.maps is None:
        return RankedMaps(ranked, None, scales)
    return RankedMaps(ranked, expanded.maps[rows, :, :, np.arange(len(rows))[:, None]], scales)


def relative_maps(maps: Sequence[Float[np.ndarray, "rows columns"] | None]) -> list[WeightMap | None]:
    """Maps on one scale: relative to the largest size in any of them.

    >>> [each.tolist() for each in relative_maps([np.array([[2.0]]), np.array([[-4.0]])])]
    [[[0.5]], [[-1.0]]]
    """
    largest = max((float(np.abs(each).max()) for each in maps if each is not None and each.size), default=0.0) or 1.0
    return [None if each is None else (each / largest).astype(np.float16) for each in maps]
