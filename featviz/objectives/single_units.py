"""Of which layers an objective reads one unit alone."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from featviz.model import IMAGE
from featviz.objectives.base import Index, Term
from featviz.objectives.objective import Objective


class SingleUnits(NamedTuple):
    """The unit of each layer of which objectives read no other, and the objectives of layers with these units alone."""

    units: dict[str, Index]
    objectives: tuple[Objective | None, ...]


def single_units(objectives: Sequence[Objective | None], *, whole: Collection[str] = ()) -> SingleUnits:
    """The layers of which one term reads one unit, and no other term anything.

    Args:
      objectives: what is computed from the same activations.
      whole: layers that are needed with all of their units.

    >>> from featviz.objectives import channel
    >>> units, (alone,) = single_units([channel("conv1", 3) + 0.5 * channel("conv2", 1) - channel("conv2", 4)])
    >>> units
    {'conv1': np.int32(3)}
    >>> alone
    <Objective conv1:0 + 0.5 * conv2:1 - conv2:4>
    """
    terms = [term for objective in objectives if objective is not None for term in objective.terms]
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

    return SingleUnits(
        units,
        tuple(
            None if objective is None else replace(objective, terms=tuple(map(alone, objective.terms)))
            for objective in objectives
        ),
    )
