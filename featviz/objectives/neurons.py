"""Neurons: one unit at one position of its layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import overload

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.arguments import as_int, is_sequence
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Index, LayerTerm, Shapes, label_as_target, read_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import (
    UNIT_AT_POSITION,
    Position,
    as_position,
    at_position,
    check_position,
    check_unit,
    read_position,
    write_position,
)
from featviz.objectives.target_forms import TargetForm


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Neuron(LayerTerm):
    """h_p[unit] at one position p, by default the center."""

    unit: Index
    position: Position | None = None

    @property
    def label(self) -> str:
        position = "@center" if self.position is None else write_position(self.position)
        return f"{self.layer}:{int(self.unit)}{position}"

    @property
    def target(self) -> str | None:
        return label_as_target(self)

    def preactivation(self, instead: Mapping[str, str]) -> "Neuron":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        chosen = jnp.take(activations[self.layer], self.unit, axis=-1)
        center = [size // 2 for size in chosen.shape[1:]]
        return at_position(chosen, center if self.position is None else self.position)

    def check(self, shapes: Shapes) -> None:
        shape = shapes[self.layer]
        check_unit(self.layer, self.unit, shape)
        if len(shape) == 1:
            raise FeatvizError(f"{self.layer} has no positions; expected a channel in place of a neuron")
        if self.position is not None:
            check_position(self.layer, self.position, shape)
        elif len(shape) == 2:
            raise FeatvizError(f"{self.layer} has {shape[0]} tokens and no center; expected a `position`, such as (0,)")


@overload
def neuron(layer: str, unit: int, *, position: tuple[int, ...] | None = None) -> Objective: ...
@overload
def neuron(layer: str, unit: Iterable[int], *, position: tuple[int, ...] | None = None) -> list[Objective]: ...
def neuron(
    layer: str, unit: int | Iterable[int], *, position: tuple[int, ...] | None = None
) -> Objective | list[Objective]:
    """A neuron: one unit at one position of its layer (Olah et al. 2017).

    Args:
      layer: the name of a layer of shape (n, h, w, units) or (n, tokens, units).
      unit: the index of the unit, from 0, or several of them.
      position: (row, column) or (token,), from 0; by default the center of rows and columns.

    Returns:
      The objective; for several units a list of objectives.

    Raises:
      FeatvizError: for a unit or position that is not an integer; by `render`, for one that is outside the layer, or a
        layer of tokens without a `position`.

    >>> activations = {"conv1": jnp.arange(18.0).reshape(1, 3, 3, 2)}
    >>> float(neuron("conv1", 1)(activations)[0]), float(neuron("conv1", 0, position=(0, 2))(activations)[0])
    (9.0, 4.0)
    """
    if is_sequence(unit):
        return [neuron(layer, index, position=position) for index in unit]
    return single(Neuron(layer, as_int("unit", unit), as_position(position)))


NEURON_FORM = TargetForm(
    UNIT_AT_POSITION,
    "103@3x4, 103@center, 103@class",
    lambda source, match: neuron(source.layer, int(match["unit"]), position=read_position(match["position"])),
)
EXAMPLES: Examples = {
    "neuron": lambda layer, shape: neuron(layer, 4),
    "neuron at a position": lambda layer, shape: neuron(layer, 4, position=tuple(size - 1 for size in shape[:-1])),
}
