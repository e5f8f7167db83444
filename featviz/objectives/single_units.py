"""Of which layers an objective reads one unit alone."""

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from featviz.model import IMAGE
from featviz.objectives.base import Index, Term
from featviz.objectives.objective import Objective


class SingleUnits(NamedTuple):
    """The unit of each layer of which nothing else is read; objective and penalty of layers with these units alone."""

    units: dict[str, Index]
    objective: Objective
    penalty: Objective | None


def single_units(objective: Objective, penalty: Objective | None, *, whole: Collection[str] = ()) -> SingleUnits:
    """The layers of which one term reads one unit, and no other term anything.

    Args:
      objective: an objective.
      penalty: another one, of the same activations.
      whole: layers that are needed with all of their units.

    >>> from featviz.objectives import channel
    >>> objective = channel("conv1", 3) + 0.5 * channel("conv2", 1) - channel("conv2", 4)
    >>> single_units(objective, None).units, single_units(objective, None).objective
    ({'conv1': np.int32(3)}, <Objective conv1:0 + 0.5 * conv2:1 - conv2:4>)
    """
    terms = (*objective.terms, *(() if penalty is None else penalty.terms))
    read = [layer for term in terms for layer in dict.fromkeys(term.layers)]
    units: dict[str, Index] = {}

    def alone(term: Term) -> Term:
        read_unit = term.unit_read
        if read_unit is None or len(term.layers) > 1:
            return term
        (layer,) = term.layers
        if layer == IMAGE or layer in whole or read.count(layer) > 1:
            return term
        units[layer] = read_unit.unit
        return read_unit.alone

    objective = replace(objective, terms=tuple(map(alone, objective.terms)))
    if penalty is not None:
        penalty = replace(penalty, terms=tuple(map(alone, penalty.terms)))
    return SingleUnits(units, objective, penalty)
