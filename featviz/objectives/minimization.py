"""What a negative objective means: that of the pre-activation, where a ReLU has cut the activation off."""

from dataclasses import replace
from typing import Any

from featviz.model import Model, before_relu
from featviz.objectives.base import Objective
from featviz.objectives.directions import (
    Cosine,
    Direction,
    DirectionAt,
    DirectionOverPatches,
    Numbered,
    TensorDirection,
)
from featviz.objectives.groups import Diverse
from featviz.objectives.positions import Patches, Within
from featviz.objectives.units import Channel, Neuron

# What is linear in a layer, more or less; a mean of squares has its smallest value at 0 with and without a ReLU.
SIGNED = Channel | Neuron | Direction | DirectionAt | DirectionOverPatches | Cosine | TensorDirection | Patches | Within


def for_minimization(model: Model, objective: Objective) -> Objective:
    """The objective that is optimized for one that is minimized: of its layers before their ReLUs.

    After a ReLU every gray image has the smallest value, 0, and nothing to minimize. So where all of an objective's
    weights are negative, its units and directions of rectified layers take the pre-activation. In a sum with positive
    weights, `a - 0.5 * b`, the layers stay as they were written; `before_relu(layer)` names the other.

    >>> import featviz as fv
    >>> for_minimization(fv.load("patterns"), -fv.channel("conv2", 3)).layers
    ('conv2<before ReLU>',)
    """
    if any(isinstance(term, Diverse) for term in objective.terms):
        inside = (
            replace(term, of=for_minimization(model, term.of)) if isinstance(term, Diverse) else term
            for term in objective.terms
        )
        return Objective(tuple(inside), objective.weights)
    shut = {layer.name for layer in model.layers if layer.rectified}
    if not all(weight < 0 for weight in objective.weights):
        return objective
    return Objective(tuple(_before(term, shut) for term in objective.terms), objective.weights)


def _before(term: Any, shut: set[str]) -> Any:
    """A term of a rectified layer as that of what goes into its ReLU."""
    if isinstance(term, Numbered):
        return replace(term, of=_before(term.of, shut))
    return replace(term, layer=before_relu(term.layer)) if isinstance(term, SIGNED) and term.layer in shut else term
