"""Mean squares: of a whole layer, which is DeepDream's objective, or of one attention head."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import STATIC, Index, LayerTerm, Shapes, label_as_target
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import position_mean
from featviz.objectives.target_forms import TargetForm


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MeanSquare(LayerTerm):
    """mean over positions and units of h^2.

    Its smallest value is that of h = 0, with and without a ReLU, so minimizing it reads the same layer.
    """

    @property
    def label(self) -> str:
        return f"{self.layer}:whole"

    @property
    def target(self) -> str | None:
        return label_as_target(self)

    @property
    def mean_over_positions(self) -> bool:
        return True

    def value(self, activations: Activations) -> Float[Array, " n"]:
        return position_mean(jnp.square(activations[self.layer]))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Head(LayerTerm):
    """mean over positions and over the units of one attention head of h^2.

    The layer's units are those of its heads in turn.
    """

    index: Index
    heads: int = field(metadata=STATIC)

    @property
    def label(self) -> str:
        return f"{self.layer}:head{int(self.index)}of{self.heads}"

    @property
    def target(self) -> str | None:
        return label_as_target(self)

    @property
    def mean_over_positions(self) -> bool:
        return True

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        heads = h.reshape(*h.shape[:-1], self.heads, h.shape[-1] // self.heads)
        return position_mean(jnp.square(jnp.take(heads, self.index, axis=-2)))

    def check(self, shapes: Shapes) -> None:
        units = shapes[self.layer][-1]
        if units % self.heads:
            raise FeatvizError(f"`heads` is {self.heads}; {self.layer} has {units} units, expected a divisor")


def deepdream(layer: str) -> Objective:
    """DeepDream's objective: the mean of squares over a whole layer (Mordvintsev et al. 2015).

    Its gradient at the layer is the activation itself, times 2 over the number of activations.

    Args:
      layer: the name of a layer of any shape.

    >>> float(deepdream("fc")({"fc": jnp.array([[1.0, 3.0]])})[0])
    5.0
    """
    return single(MeanSquare(layer))


def head(layer: str, index: int, *, heads: int) -> Objective:
    """The output of an attention head: the mean over positions and its units of their squares.

    One unit of a head is a channel of the layer.

    Args:
      layer: a layer that holds the outputs of all heads one after the other, as they enter the attention's last
        projection. In networks that featviz traces it is named `heads`.
      index: the index of the head, 0 to heads - 1.
      heads: the number of heads.

    Raises:
      FeatvizError: for an index that no head has; by `render`, if `heads` does not divide the number of units.

    >>> float(head("heads", 1, heads=2)({"heads": jnp.array([[[0.0, 0.0, 1.0, 3.0]]])})[0])
    5.0
    """
    count = int(as_int("heads", heads))
    if count < 1 or not 0 <= as_int("index", index) < count:
        raise FeatvizError(f"`index` is {index} of {count} heads; expected 0 to {max(count, 1) - 1}")
    return single(Head(layer, as_int("index", index), count))


MEAN_SQUARE_FORM = TargetForm("whole", "whole", lambda source, match: deepdream(source.layer))
HEAD_FORM = TargetForm(
    r"head(?P<index>\d+)of(?P<heads>\d+)",
    "head0of12",
    lambda source, match: head(source.layer, int(match["index"]), heads=int(match["heads"])),
)
EXAMPLES: Examples = {
    "deepdream": lambda layer, shape: deepdream(layer),
    # As many heads as units: every layer will do.
    "head": lambda layer, shape: head(layer, 2, heads=shape[-1]),
}
