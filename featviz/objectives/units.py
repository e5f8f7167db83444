"""Objectives of single units: a channel, a neuron, a logit."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, overload

import jax
import jax.numpy as jnp

from featviz.common.arguments import as_int, is_sequence
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, Activations
from featviz.objectives.base import Objective, Shapes, single
from featviz.objectives.positions import at_position, check_position, check_unit, write_position

register = partial(jax.tree_util.register_dataclass)


@partial(register, data_fields=["unit"], meta_fields=["layer"])
@dataclass(frozen=True)
class Channel:
    """The mean of one unit over all positions of its layer."""

    layer: str
    unit: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}"

    def value(self, activations: Activations) -> jax.Array:
        chosen = jnp.take(activations[self.layer], self.unit, axis=-1)
        return jnp.mean(chosen, axis=tuple(range(1, chosen.ndim)))

    def check(self, shapes: Shapes) -> None:
        shape = shapes[self.layer]
        check_unit(self.layer, self.unit, shape)


@partial(register, data_fields=["unit", "position"], meta_fields=["layer"])
@dataclass(frozen=True)
class Neuron:
    """One unit at one position; without a position, at the center."""

    layer: str
    unit: Any
    position: Any = None

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        at = "@center" if self.position is None else write_position(self.position)
        return f"{self.layer}:{int(self.unit)}{at}"

    def value(self, activations: Activations) -> jax.Array:
        chosen = jnp.take(activations[self.layer], self.unit, axis=-1)
        sizes = chosen.shape[1:]
        position = [size // 2 for size in sizes] if self.position is None else list(self.position)
        return at_position(chosen, position)

    def check(self, shapes: Shapes) -> None:
        shape = shapes[self.layer]
        check_unit(self.layer, self.unit, shape)
        if len(shape) == 1:
            raise FeatvizError(f"{self.layer} has no positions; expected a channel in place of a neuron")
        if self.position is not None:
            check_position(self.layer, self.position, shape)
        elif len(shape) == 2:
            raise FeatvizError(f"{self.layer} has {shape[0]} tokens and no center; expected a `position`, such as (0,)")


@partial(register, data_fields=["unit"], meta_fields=["layer"])
@dataclass(frozen=True)
class Logit:
    """One output of the network, before any softmax; averaged over positions where it has some."""

    unit: Any
    layer: str = OUTPUT

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"logit:{int(self.unit)}"

    def value(self, activations: Activations) -> jax.Array:
        return Channel(self.layer, self.unit).value(activations)

    def check(self, shapes: Shapes) -> None:
        shape = shapes[self.layer]
        check_unit("the output", self.unit, shape)


@overload
def channel(layer: str, unit: int) -> Objective: ...
@overload
def channel(layer: str, unit: Iterable[int]) -> list[Objective]: ...
def channel(layer: str, unit: int | Iterable[int]) -> Objective | list[Objective]:
    """A channel: mean over positions of unit `unit` of `layer` (Olah et al. 2017).

    Layers of shape (n, h, w, c), (n, tokens, c) or (n, c). Several units give a list of objectives.

    >>> float(channel("conv1", 1)({"conv1": jnp.arange(8.0).reshape(1, 2, 2, 2)})[0])
    4.0
    """
    if is_sequence(unit):
        return [channel(layer, each) for each in unit]
    return single(Channel(layer, as_int("unit", unit)))


@overload
def neuron(layer: str, unit: int, *, position: tuple[int, ...] | None = None) -> Objective: ...
@overload
def neuron(layer: str, unit: Iterable[int], *, position: tuple[int, ...] | None = None) -> list[Objective]: ...
def neuron(
    layer: str, unit: int | Iterable[int], *, position: tuple[int, ...] | None = None
) -> Objective | list[Objective]:
    """A neuron: unit `unit` of `layer` at one position, (row, column) or (token,); the center by default.

    >>> activations = {"conv1": jnp.arange(18.0).reshape(1, 3, 3, 2)}
    >>> float(neuron("conv1", 1)(activations)[0]), float(neuron("conv1", 0, position=(0, 2))(activations)[0])
    (9.0, 4.0)
    """
    if is_sequence(unit):
        return [neuron(layer, each, position=position) for each in unit]
    where = None if position is None else tuple(as_int("position", at) for at in position)
    return single(Neuron(layer, as_int("unit", unit), where))


@overload
def logit(unit: int) -> Objective: ...
@overload
def logit(unit: Iterable[int]) -> list[Objective]: ...
def logit(unit: int | Iterable[int]) -> Objective | list[Objective]:
    """A class of the network: its output `unit`, before the softmax (Simonyan et al. 2013).

    >>> float(logit(1)({OUTPUT: jnp.array([[0.5, 2.0]])})[0])
    2.0
    """
    if is_sequence(unit):
        return [logit(each) for each in unit]
    return single(Logit(as_int("unit", unit, example="1, or model.class_index('goldfish')")))
