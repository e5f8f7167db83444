"""Maps of a layer's weights, gathered chunk by chunk and kept small: float16, relative to each unit's largest."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float16

Maps = Float[np.ndarray, "chunk rows columns source_units"]

# Values of one pair of layers' maps up to which they are kept.
MAX_VALUES = 1 << 27
TINY = np.float32(1e-30)


class GatheredMaps:
    """The maps of a layer's units, in the units' order.

    Args:
      units: how many units the layer has.
      kept: whether maps are kept at all.

    Attributes:
      scales: the largest size in each unit's maps; 0 where they are not kept.
      present: whether any weight is not zero.

    >>> gathered = GatheredMaps(2)
    >>> gathered.add(np.full((2, 1, 1, 3), [[[[1.0, 2.0, -4.0]]]]))
    >>> gathered.joined()[0].tolist(), gathered.scales.tolist()
    ([[[0.25, 0.5, -1.0]]], [4.0, 4.0])
    """

    def __init__(self, units: int, *, kept: bool = True) -> None:
        self.units, self.count, self.present = units, 0, False
        self.scales = np.zeros(units, np.float32)
        self._parts: list[Float16[np.ndarray, "chunk rows columns source_units"]] | None = [] if kept else None

    def add(self, maps: Maps) -> None:
        """The maps of the next units."""
        rows = slice(self.count, self.count + len(maps))
        self.count += len(maps)
        self.present = self.present or bool(maps.any())
        if self._parts is None or maps[0].size * self.units > MAX_VALUES:
            self._parts = None
            return
        self.scales[rows] = np.abs(maps).max((1, 2, 3), initial=0)
        relative = maps / np.maximum(self.scales[rows], TINY)[:, None, None, None]
        self._parts.append(relative.astype(np.float16))

    def joined(self) -> Float16[np.ndarray, "units rows columns source_units"] | None:
        """The maps of all units, relative to their scales; None where they are not kept."""
        return None if self._parts is None else np.concatenate(self._parts)


def of_one_kind(places: Sequence[Maps], tokens: Sequence[Maps]) -> Sequence[Maps]:
    """The maps at places, or where only tokens without a place have weights, those of these tokens.

    Decided once for all chunks of a layer: a chunk without any weight has the shape of the others.

    >>> none, some = np.zeros((1, 2, 2, 3)), np.ones((1, 1, 1, 3))
    >>> [each.shape for each in of_one_kind([none, none], [np.zeros((1, 1, 1, 3)), some])]
    [(1, 1, 1, 3), (1, 1, 1, 3)]
    """
    return tokens if any(each.any() for each in tokens) and not any(each.any() for each in places) else places
