"""What minimizing an objective means: where a ReLU cuts the activation off, the pre-activation is minimized."""

from collections.abc import Set

from featviz.model import Model
from featviz.objectives.objective import Objective


def for_minimization(model: Model, objective: Objective) -> Objective:
    """The objective that is optimized when the given one is minimized: of its layers before their ReLUs.

    After a ReLU every gray image has the smallest value, 0, and there is nothing to minimize. So if all weights of an
    objective are negative, its units and directions of rectified layers read the pre-activation. In a sum with positive
    weights, `a - 0.5 * b`, the layers stay as written; `before_relu(layer)` names the pre-activation.

    >>> import featviz as fv
    >>> for_minimization(fv.load("patterns"), -fv.channel("conv2", 3)).layers
    ('conv2<before ReLU>',)
    """
    return with_preactivations(objective, frozenset(layer.name for layer in model.layers if layer.rectified))


def with_preactivations(objective: Objective, rectified: Set[str]) -> Objective:
    """The same for a network whose rectified layers have the names `rectified`."""
    is_minimized = all(weight < 0 for weight in objective.weights)
    terms = tuple(
        term.preactivation(rectified) if is_minimized else term.resolve_nested(rectified) for term in objective.terms
    )
    if all(new is old for new, old in zip(terms, objective.terms, strict=True)):
        return objective
    return Objective(terms, objective.weights)
