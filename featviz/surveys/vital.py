"""VITAL: a unit or class by the statistics of photographs, in place of the largest activation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from featviz.common.arguments import check_count
from featviz.errors import FeatvizError
from featviz.model import Activations, Model
from featviz.model.layer_patterns import block_layers, layers_below
from featviz.objectives import Objective, statistics
from featviz.objectives.base import STATIC, Index, Shapes, Term
from featviz.objectives.objective import Examples, single
from featviz.surveys.matched_statistics import (
    Images,
    References,
    best_photos,
    channel_targets,
    class_targets,
    read_photos,
)
from featviz.surveys.receptive_fields import receptive_fields
from featviz.surveys.survey import Survey

# Photographs or patches that the statistics are of.
COUNT = 50
# The weights of a unit's layers, from the lowest to its own, and the number of a class's, all of weight 1.
UNIT_WEIGHTS = (0.1, 0.1, 1.0, 1.0)
CLASS_LAYERS = 5
# Photographs on which the receptive field is measured.
MEASURED = 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Vital(Term):
    """The sum of `statistics` of a unit or a class, each over the mean of m_c t_rc^2, under the unit's name.

    No command line names it, since its targets come from photographs.
    """

    layer: str = field(metadata=STATIC)
    of_class: bool = field(metadata=STATIC)
    unit: Index
    objective: Objective

    @property
    def layers(self) -> tuple[str, ...]:
        return self.objective.layers

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}"

    @property
    def class_index(self) -> int | None:
        return int(self.unit) if self.of_class else None

    def value(self, activations: Activations) -> Float[Array, " n"]:
        return self.objective(activations)

    def check(self, shapes: Shapes) -> None:
        for term in self.objective.terms:
            term.check(shapes)


def vital(
    model: Model,
    objective: Objective,
    references: References,
    *,
    layers: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    count: int = COUNT,
) -> Objective:
    """A unit or a class as the statistics of photographs have it: the sum over layers of w `statistics`.

    Of a class the targets are the mean over its photographs of the sorted activations of each unit. Of a channel they
    are those within its receptive field, where it is most active, in the `count` photographs on which it is; a unit's
    importance is its largest relevance for the channel, from 0 to 1 over all units. Relevance is max(0, h dA/dh), A the
    channel's largest activation. Each layer's term is divided by the mean of m t^2, so that layers of any scale
    compare. For the recipe `vital_2025`.

    Args:
      model: the network.
      objective: a channel, as `fv.channel` gives it, or a class, as `fv.logit` does.
      references: photographs, a folder or a list: of the class, or among which the channel's are looked for. For a
        channel also a survey that has its layer, of which half A is taken.
      layers: the names of the layers that are compared; by default three below a channel's and its own, or five of the
        network's blocks.
      weights: w, one a layer; by default .1, .1, 1 and 1 for a channel, 1 for a class.
      count: how many photographs at most.

    Returns:
      The objective, whose label is the unit's or the class's.

    Raises:
      FeatvizError: for another objective, a missing unit, a layer behind the channel, a survey without the layer or for
        a class, or no readable photograph.

    References:
      Gorgun, Schiele and Fischer 2025, VITAL, which weights activations at each position by their relevance, and has
      that of other rules of propagation.

    >>> import featviz as fv
    >>> photos = np.random.default_rng(0).random((6, 64, 64, 3))
    >>> vital(fv.load("patterns"), fv.channel("mixed3a", 5), photos, count=2).label
    'mixed3a:5'
    """
    subject = _subject(objective)
    check_count("count", count, 1, 100_000)
    if not subject.of_class and not 0 <= subject.unit < (units := model.layer(subject.layer).units):
        raise FeatvizError(f"`objective` is {subject.layer}:{subject.unit}; {subject.layer} has units 0 to {units - 1}")
    names, chosen = _layers(model, subject, layers, weights)
    if subject.of_class:
        if isinstance(references, Survey):
            raise FeatvizError("`references` is a survey; of a class, expected photographs of that class")
        targets = class_targets(model, names, read_photos(model, references, limit=count))
    else:
        photos = best_photos(model, subject.layer, subject.unit, references, count=count)
        side = _receptive_field(model, subject.layer, references, photos)
        targets = channel_targets(model, names, subject.layer, subject.unit, photos, side=side)
    parts = []
    for name, weight in zip(names, chosen, strict=True):
        values, importance = targets[name]
        size = float(np.mean(importance * np.square(values)))
        # A layer that does not respond to the photographs, or has no part in the unit, says nothing.
        parts.append((weight / size if size > 0 else 0.0) * statistics(name, values, importance=importance))
    total = Objective(tuple(p.terms[0] for p in parts), tuple(p.weights[0] for p in parts))
    return single(Vital(subject.layer, subject.of_class, np.int32(subject.unit), total))


def _receptive_field(model: Model, layer: str, references: References, photos: Images) -> int:
    """The side of the layer's receptive field, from the survey or measured on some of the photographs."""
    if isinstance(references, Survey):
        return references.receptive_field(layer)
    measured = np.stack(photos[:MEASURED]).astype(np.float32) / np.float32(255)
    return receptive_fields(model, measured, (layer,))[layer]


class _Subject(NamedTuple):
    """What is drawn: a channel of a layer, or a class."""

    layer: str
    unit: int
    of_class: bool


def _subject(objective: Objective) -> _Subject:
    if isinstance(objective, Objective) and len(objective.terms) == 1 and float(objective.weights[0]) == 1:
        term = objective.terms[0]
        if term.class_index is not None:
            return _Subject("logit", term.class_index, True)
        if term.channel_index is not None:
            return _Subject(term.layers[0], term.channel_index, False)
    found = objective.label if isinstance(objective, Objective) else f"a {type(objective).__name__}"
    raise FeatvizError(f"`objective` is {found}; expected a channel or a class, such as fv.channel('conv1', 3)")


def _layers(
    model: Model, subject: _Subject, layers: Sequence[str] | None, weights: Sequence[float] | None
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The layers that are compared, and the weight of each."""
    if layers is not None:
        names, usual = tuple(model.layer(name).name for name in layers), (1.0,) * len(layers)
        order = [layer.name for layer in model.layers]
        late = [name for name in names if not subject.of_class and order.index(name) > order.index(subject.layer)]
        if late:
            raise FeatvizError(f"`layers` has {late[0]}, which lies behind {subject.layer}; expected layers before it")
    elif subject.of_class:
        blocks = [block.name for block in block_layers(model) if block.shape[:-1]]
        spread = np.linspace(0, len(blocks) - 1, min(CLASS_LAYERS, len(blocks))).round().astype(int)
        names, usual = tuple(blocks[index] for index in spread), (1.0,) * len(spread)
    else:
        model.layer(subject.layer)
        below = layers_below(model, subject.layer, count=len(UNIT_WEIGHTS) - 1)
        names = (*below, subject.layer)
        usual = UNIT_WEIGHTS[-len(names) :]
    chosen = usual if weights is None else tuple(float(weight) for weight in weights)
    if not names or len(chosen) != len(names):
        raise FeatvizError(
            f"`weights` has {len(chosen)} numbers; expected {len(names)}, one a layer: {', '.join(names)}"
        )
    return names, chosen


EXAMPLES: Examples = {
    "vital": lambda layer, shape: single(
        Vital(
            layer,
            False,
            np.int32(2),
            statistics(layer, np.linspace(-1, 2, 11 * shape[-1]).reshape(11, shape[-1])),
        )
    )
}
