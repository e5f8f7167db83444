"""How the command line writes a kind of objective: `UNITS` in `LAYER:UNITS`, and reads it back."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float

from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.objectives.objective import Objective


class UnitsOf(Enum):
    """What the indices of a target count."""

    LAYER = "units"
    OUTPUT = "outputs"
    DIRECTIONS = "directions"


@dataclass(frozen=True)
class UnitSource:
    """What precedes the colon of a target: a layer's units, a network's outputs, or directions in a layer.

    `count` is the number of units, `directions` the rows of the file of directions.
    """

    model: Model
    layer: str
    units_of: UnitsOf
    count: int
    directions: Float[np.ndarray, "count units"] | None = None

    def direction(self, index: int) -> Float[np.ndarray, " units"]:
        """A row of the file of directions."""
        assert self.directions is not None
        return self.directions[index]


@dataclass(frozen=True)
class TargetForm:
    """One way to write an objective after the colon of a target.

    `pattern` matches the text of one item. Its group `unit`, if it has one, is an index that must be below the source's
    count. `build` makes the objective of a match. `example` stands in the error for a text that matches no form.
    """

    pattern: str
    example: str
    build: Callable[[UnitSource, re.Match[str]], Objective]
    units_of: UnitsOf = UnitsOf.LAYER

    def read(self, item: str, source: UnitSource) -> Objective | None:
        """The objective that the text names, or None if it is written in another form.

        Raises: FeatvizError for an index that is out of range.
        """
        match = re.fullmatch(self.pattern, item) if source.units_of is self.units_of else None
        if match is None:
            return None
        unit = match.groupdict().get("unit")
        if unit is not None and int(unit) >= source.count:
            raise FeatvizError(
                f"unit {int(unit)} is out of range; {source.layer} has {source.count} {source.units_of.value}, "
                f"0 to {source.count - 1}"
            )
        return self.build(source, match)
