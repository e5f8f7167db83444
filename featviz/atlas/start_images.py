"""The images at which facets of units begin: cut out of a survey's photographs when they are needed."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Float, UInt8

from featviz.surveys.facet_starts import StartCrop, read_start
from featviz.surveys.survey import Survey

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class StartImages:
    """The images at which the pictures of some units begin; other units begin from noise.

    Pickled, it has the images themselves: a worker need not see the photographs.

    Attributes:
      survey: of the photographs; None where the images are `read`.
      crops: unit -> where each of its facets begins.
      size: (height, width) of the images.
      read: unit -> its images.
      names: unit -> the names of its photographs.
    """

    survey: Survey | None = None
    crops: Mapping[int, tuple[StartCrop, ...]] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)
    read: Mapping[int, Sequence[UInt8[np.ndarray, "h w c"]]] = field(default_factory=dict)
    names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, unit: object) -> bool:
        return unit in self.crops or unit in self.read

    def of_unit(self, unit: int) -> list[Float[np.ndarray, "h w c"]]:
        """The images of a unit's facets, in [0, 1]."""
        return [image.astype(np.float32) / np.float32(255) for image in self._bytes(unit)]

    def of_units(self, units: Iterable[int]) -> "StartImages":
        """The same for some of the units."""
        chosen = set(units)
        return replace(self, crops=_of(chosen, self.crops), read=_of(chosen, self.read), names=_of(chosen, self.names))

    def _bytes(self, unit: int) -> Sequence[UInt8[np.ndarray, "h w c"]]:
        if unit in self.read:
            return self.read[unit]
        assert self.survey is not None
        return [read_start(self.survey, crop, self.size) for crop in self.crops[unit]]

    def __reduce__(self) -> tuple[object, ...]:
        read = {unit: self._bytes(unit) for unit in (*self.crops, *self.read)}
        return StartImages, (None, {}, self.size, read, self.names)


def _of(units: Set[int], values: Mapping[int, T]) -> dict[int, T]:
    return {unit: value for unit, value in values.items() if unit in units}
