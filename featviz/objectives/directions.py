"""Directions among a layer's units: a probe, a principal component, a row of a dictionary."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import STATIC, Index, LayerTerm, Shapes, Values, read_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import (
    UNIT_AT_POSITION,
    UNIT_OVER_PATCHES,
    Position,
    as_class_tokens,
    as_position,
    at_position,
    check_position,
    check_tokens,
    position_mean,
    read_patches,
    read_position,
    write_patches,
    write_position,
)
from featviz.objectives.target_forms import TargetForm, UnitsOf
from featviz.objectives.vectors import check_vector, dot_product, norm_product, scale_by_cosine, write_power


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Direction(LayerTerm):
    """mean over positions of dot(h, v) * max(.1, cosine(h, v))^power.

    With a `position` the value there; otherwise the first `class_tokens` tokens are left out of the mean. `index` is
    that of the vector among others of its kind. It is part of the name and not of the value.
    """

    vector: Float[Values, " units"]
    power: float = field(default=0.0, metadata=STATIC)
    position: Position | None = None
    class_tokens: int = field(default=0, metadata=STATIC)
    index: Index | None = None

    @property
    def label(self) -> str:
        index = "" if self.index is None else f" {int(self.index)}"
        where = write_patches(self.class_tokens) if self.class_tokens else ""
        where = where if self.position is None else write_position(self.position)
        return f"{self.layer}:direction{index}{write_power(self.power)}{where}"

    @property
    def mean_over_positions(self) -> bool:
        return self.position is None and not self.class_tokens

    def preactivation(self, instead: Mapping[str, str]) -> "Direction":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        if self.position is not None:
            h = at_position(h, self.position)
        elif self.class_tokens:
            h = h[:, self.class_tokens :]
        return position_mean(scale_by_cosine(dot_product(h, self.vector), norm_product(h, self.vector), self.power))

    def check(self, shapes: Shapes) -> None:
        shape = shapes[self.layer]
        check_vector(self.layer, self.vector, shape)
        if self.position is not None:
            check_position(self.layer, self.position, shape)
        if self.class_tokens:
            check_tokens(self.layer, self.class_tokens, shape)


def direction(
    layer: str,
    vector: ArrayLike,
    *,
    power: float = 0.0,
    position: tuple[int, ...] | None = None,
    class_tokens: int = 0,
    index: int | None = None,
) -> Objective:
    """A direction among a layer's units: mean over positions of dot(h, v) * max(.1, cosine(h, v))^power.

    With `power` 0 it is the plain dot product (lucid's `direction`; with a `position` lucid's `direction_neuron`).

    Args:
      layer: the name of the layer.
      vector: v, (units,): a probe, a principal component, a row of a sparse autoencoder's decoder.
      power: how much the angle counts beside the length, from 0.
      position: (row, column) or (token,), for the value at one position instead of the mean.
      class_tokens: the number of first tokens that are left out of the mean, as in `patches`.
      index: the vector's index among others, for the picture's name.

    Raises:
      FeatvizError: for a negative `class_tokens`, or `class_tokens` together with a `position`; by `render`, for a
        vector that has another number of units than the layer.

    >>> h = np.array([[3.0, 4.0]], np.float32)
    >>> float(direction("fc", np.array([1.0, 0.0], np.float32))({"fc": h})[0])
    3.0
    >>> round(float(direction("fc", np.array([1.0, 0.0], np.float32), power=2.0)({"fc": h})[0]), 3)
    1.08
    >>> direction("fc", [0.0, 1.0], index=7).label
    'fc:direction 7'
    """
    tokens = as_class_tokens(class_tokens)
    if tokens and position is not None:
        raise FeatvizError(f"`class_tokens` is {tokens} beside a `position`; expected one or the other")
    return single(
        Direction(
            layer,
            np.asarray(vector, np.float32),
            float(power),
            as_position(position),
            tokens,
            None if index is None else as_int("index", index),
        )
    )


def _read_position(unit: int, text: str) -> tuple[int, ...]:
    position = read_position(text)
    if position is None:
        raise FeatvizError(f"`{unit}@{text}` is not a direction; expected its position, such as {unit}@3x4 or {unit}@0")
    return position


# Of a file of directions, where units are the indices of its rows.
DIRECTION_FORMS = (
    TargetForm(
        r"(?P<unit>\d+)",
        "103",
        lambda source, match: direction(source.layer, source.direction(int(match["unit"])), index=int(match["unit"])),
        units_of=UnitsOf.DIRECTIONS,
    ),
    TargetForm(
        UNIT_AT_POSITION,
        "103@3x4, 103@class",
        lambda source, match: direction(
            source.layer,
            source.direction(int(match["unit"])),
            position=_read_position(int(match["unit"]), match["position"]),
            index=int(match["unit"]),
        ),
        units_of=UnitsOf.DIRECTIONS,
    ),
    TargetForm(
        UNIT_OVER_PATCHES,
        "103@patches",
        lambda source, match: direction(
            source.layer,
            source.direction(int(match["unit"])),
            class_tokens=read_patches(match["patches"]),
            index=int(match["unit"]),
        ),
        units_of=UnitsOf.DIRECTIONS,
    ),
)
EXAMPLES: Examples = {
    "direction": lambda layer, shape: direction(layer, np.linspace(-1, 1, shape[-1])),
    "direction by its angle": lambda layer, shape: direction(layer, np.linspace(-1, 1, shape[-1]), power=2.0),
    "direction with an index": lambda layer, shape: direction(layer, np.linspace(-1, 1, shape[-1]), index=7),
    "direction at a position": lambda layer, shape: direction(
        layer, np.linspace(-1, 1, shape[-1]), position=tuple(size - 1 for size in shape[:-1])
    ),
    "direction over patches": lambda layer, shape: direction(layer, np.linspace(-1, 1, shape[-1]), class_tokens=1),
}
