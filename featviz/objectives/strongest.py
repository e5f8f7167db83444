"""The strongest positions: the mean of a unit over those of its positions where it is largest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import STATIC, Index, LayerTerm, Shapes, label_as_target, read_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import (
    as_class_tokens,
    check_tokens,
    check_unit,
    position_rows,
    read_patches,
    write_patches,
)
from featviz.objectives.target_forms import TargetForm


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Strongest(LayerTerm):
    """mean of the `count` largest h_p[unit] over positions p, of tokens over p >= class_tokens."""

    unit: Index
    count: int = field(metadata=STATIC)
    class_tokens: int = field(metadata=STATIC)

    @property
    def label(self) -> str:
        patches = write_patches(self.class_tokens).removeprefix("@") if self.class_tokens else ""
        return f"{self.layer}:{int(self.unit)}@top{self.count}{patches}"

    @property
    def target(self) -> str | None:
        return label_as_target(self)

    def preactivation(self, instead: Mapping[str, str]) -> "Strongest":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        values = jnp.take(position_rows(activations[self.layer]), self.unit, axis=-1)
        return jnp.mean(jax.lax.top_k(values[:, self.class_tokens :], self.count)[0], axis=1)

    def check(self, shapes: Shapes) -> None:
        shape = shapes[self.layer]
        check_unit(self.layer, self.unit, shape)
        if self.class_tokens:
            check_tokens(self.layer, self.class_tokens, shape)
        positions = math.prod(shape[:-1]) - self.class_tokens
        if self.count > positions:
            raise FeatvizError(
                f"`count` is {self.count}; {self.layer} has {positions} positions at this picture size; expected as "
                "many or fewer"
            )


def strongest(layer: str, unit: int, *, count: int = 16, class_tokens: int = 0) -> Objective:
    """A unit where it is strongest: its mean over the `count` positions where it is largest.

    The rest of the picture is free, so that what the unit looks for stands on a ground. Pictures of the MLP units of a
    transformer predict photographs better than those of `channel`, the mean over all positions.

    Args:
      layer: the name of a layer of shape (n, h, w, units) or (n, tokens, units).
      unit: the index of the unit, from 0.
      count: of the positions, 1 or more; 1 is the largest activation.
      class_tokens: the number of tokens before those of the patches, which are left out; 0 takes all tokens.

    Raises:
      FeatvizError: for a `count` below 1 or a negative `class_tokens`; by `render`, for a layer of fewer positions.

    >>> h = jnp.array([[[9.0], [1.0], [3.0], [2.0]]])
    >>> float(strongest("block", 0, count=2)({"block": h})[0])
    6.0
    >>> float(strongest("block", 0, count=2, class_tokens=1)({"block": h})[0])
    2.5
    """
    if as_int("count", count) < 1:
        raise FeatvizError(f"`count` is {count}; expected 1 or more, such as 16")
    return single(Strongest(layer, as_int("unit", unit), int(count), as_class_tokens(class_tokens)))


STRONGEST_FORM = TargetForm(
    r"(?P<unit>\d+)@top(?P<count>\d+)(?P<patches>patches\d*)?",
    "103@top16",
    lambda source, match: strongest(
        source.layer,
        int(match["unit"]),
        count=int(match["count"]),
        class_tokens=read_patches(match["patches"]) if match["patches"] else 0,
    ),
)
EXAMPLES: Examples = {
    "strongest": lambda layer, shape: strongest(layer, 3, count=4),
    "strongest patches": lambda layer, shape: strongest(layer, 2, count=2, class_tokens=1),
}
