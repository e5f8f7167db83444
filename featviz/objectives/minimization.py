"""What an ascent optimizes of an objective: where a ReLU or a dictionary cuts a unit off, what is before it."""

from collections.abc import Mapping

from featviz.model import Model, along_decoder, before_relu
from featviz.objectives.objective import Objective


def for_ascent(model: Model, objective: Objective) -> Objective:
    """The objective that is optimized for the given one: of a dictionary's latents, and where it is minimized.

    Behind a TopK, a threshold or a gate most images have no latent and no gradient, so units and directions of a
    layer of latents read how far the layer points along each latent's row of the decoder (`along_decoder`), and the
    pre-activation where they are minimized.

    After a ReLU every gray image has the smallest value, 0, and there is nothing to minimize. So if all weights of an
    objective are negative, its units and directions of rectified layers read the pre-activation. In a sum with positive
    weights, `a - 0.5 * b`, the layers stay as written; `before_relu(layer)` names the pre-activation.

    >>> import featviz as fv
    >>> for_ascent(fv.load("patterns"), -fv.channel("conv2", 3)).layers
    ('conv2<before ReLU>',)
    """
    objective = reading_instead(
        objective, {layer.name: before_relu(layer.name) for layer in model.layers if layer.rectified}
    )
    latents = {layer.name: along_decoder(layer.name) for layer in model.layers if layer.latents and layer.rectified}
    return _reading(objective, latents, every=True) if latents else objective


def reading_instead(objective: Objective, instead: Mapping[str, str]) -> Objective:
    """The objective with other layers read in place of some, by name, if it is minimized."""
    return _reading(objective, instead, every=all(weight < 0 for weight in objective.weights))


def _reading(objective: Objective, instead: Mapping[str, str], *, every: bool) -> Objective:
    terms = tuple(term.preactivation(instead) if every else term.resolve_nested(instead) for term in objective.terms)
    if all(new is old for new, old in zip(terms, objective.terms, strict=True)):
        return objective
    return Objective(terms, objective.weights)
