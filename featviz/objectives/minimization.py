"""What an ascent optimizes of an objective: where a ReLU or a dictionary cuts a unit off, its pre-activation."""

from collections.abc import Set

from featviz.model import Model
from featviz.objectives.objective import Objective


def for_ascent(model: Model, objective: Objective) -> Objective:
    """The objective that is optimized for the given one: of a dictionary's latents, and where it is minimized.

    Behind a TopK, a threshold or a gate most images have no latent and no gradient, so units and directions of a
    layer of latents read the pre-activation.

    After a ReLU every gray image has the smallest value, 0, and there is nothing to minimize. So if all weights of an
    objective are negative, its units and directions of rectified layers read the pre-activation. In a sum with positive
    weights, `a - 0.5 * b`, the layers stay as written; `before_relu(layer)` names the pre-activation.

    >>> import featviz as fv
    >>> for_ascent(fv.load("patterns"), -fv.channel("conv2", 3)).layers
    ('conv2<before ReLU>',)
    """
    latents = frozenset(layer.name for layer in model.layers if layer.latents and layer.rectified)
    moved = _with_preactivations(objective, latents, every=True) if latents else objective
    return with_preactivations(moved, frozenset(layer.name for layer in model.layers if layer.rectified))


def with_preactivations(objective: Objective, rectified: Set[str]) -> Objective:
    """The same for a network whose rectified layers have the names `rectified` and that has no dictionary."""
    return _with_preactivations(objective, rectified, every=all(weight < 0 for weight in objective.weights))


def _with_preactivations(objective: Objective, rectified: Set[str], *, every: bool) -> Objective:
    terms = tuple(
        term.preactivation(rectified) if every else term.resolve_nested(rectified) for term in objective.terms
    )
    if all(new is old for new, old in zip(terms, objective.terms, strict=True)):
        return objective
    return Objective(terms, objective.weights)
