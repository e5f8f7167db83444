"""Objectives of single units: a channel, a neuron, a logit, a direction among a layer's units."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from operator import index
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np

from featviz.errors import FeatvizError
from featviz.model import OUTPUT, Activations
from featviz.objectives.objective import Objective, single

register = partial(jax.tree_util.register_dataclass)


def _check_unit(layer: str, unit: Any, shape: tuple[int, ...]) -> None:
    if not 0 <= int(unit) < shape[-1]:
        raise FeatvizError(f"`unit` {int(unit)} is out of range; {layer} has {shape[-1]} units, 0 to {shape[-1] - 1}")


@partial(register, data_fields=["unit"], meta_fields=["layer"])
@dataclass(frozen=True)
class Channel:
    """The mean of one unit over all positions of its layer."""

    layer: str
    unit: Any

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}"

    def value(self, activations: Activations) -> jax.Array:
        chosen = jnp.take(activations[self.layer], self.unit, axis=-1)
        return jnp.mean(chosen, axis=tuple(range(1, chosen.ndim)))

    def check(self, shape: tuple[int, ...]) -> None:
        _check_unit(self.layer, self.unit, shape)


@partial(register, data_fields=["unit", "position"], meta_fields=["layer"])
@dataclass(frozen=True)
class Neuron:
    """One unit at one position; without a position, at the centre."""

    layer: str
    unit: Any
    position: Any = None

    @property
    def label(self) -> str:
        at = "@centre" if self.position is None else "@" + "x".join(str(int(p)) for p in self.position)
        return f"{self.layer}:{int(self.unit)}{at}"

    def value(self, activations: Activations) -> jax.Array:
        chosen = jnp.take(activations[self.layer], self.unit, axis=-1)
        sizes = chosen.shape[1:]
        position = [size // 2 for size in sizes] if self.position is None else list(self.position)
        for at in position:
            chosen = jnp.take(chosen, at, axis=1)
        return chosen

    def check(self, shape: tuple[int, ...]) -> None:
        _check_unit(self.layer, self.unit, shape)
        sizes = shape[:-1]
        if not sizes:
            raise FeatvizError(f"{self.layer} has no positions; expected a channel in place of a neuron")
        if self.position is None:
            return
        inside = len(self.position) == len(sizes) and all(
            0 <= at < size for at, size in zip(self.position, sizes, strict=True)
        )
        if not inside:
            found, size = ("x".join(str(int(n)) for n in each) for each in (self.position, sizes))
            raise FeatvizError(f"`position` {found} is outside {self.layer}, which is {size} at this picture size")


@partial(register, data_fields=["unit"], meta_fields=["layer"])
@dataclass(frozen=True)
class Logit:
    """One output of the network, before any softmax; averaged over positions where it has some."""

    unit: Any
    layer: str = OUTPUT

    @property
    def label(self) -> str:
        return f"logit:{int(self.unit)}"

    def value(self, activations: Activations) -> jax.Array:
        return Channel(self.layer, self.unit).value(activations)

    def check(self, shape: tuple[int, ...]) -> None:
        _check_unit("the output", self.unit, shape)


@partial(register, data_fields=["vector"], meta_fields=["layer", "power"])
@dataclass(frozen=True)
class Direction:
    """dot(h, v) * max(.1, cosine(h, v))^power at each position, averaged over them."""

    layer: str
    vector: Any
    power: float = 0.0

    @property
    def label(self) -> str:
        return f"{self.layer}:direction" + (f"^{self.power:g}" if self.power else "")

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        v = jnp.asarray(self.vector, h.dtype)
        # A sum of products, not a matrix product: its rounding does not depend on the number of lanes.
        dot = jnp.sum(h * jnp.expand_dims(v, tuple(range(h.ndim - 1))), axis=-1)
        if self.power:
            length = jnp.sqrt(jnp.sum(jnp.square(h), axis=-1) + 1e-12) * jnp.sqrt(jnp.sum(jnp.square(v)))
            dot = dot * jnp.maximum(dot / (length + 1e-6), 0.1) ** self.power
        return jnp.mean(dot, axis=tuple(range(1, dot.ndim)))

    def check(self, shape: tuple[int, ...]) -> None:
        found = np.shape(self.vector)
        if found != (shape[-1],):
            raise FeatvizError(
                f"`vector` has shape {found}; {self.layer} has {shape[-1]} units, expected ({shape[-1]},)"
            )


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
    if isinstance(unit, Iterable):
        return [channel(layer, each) for each in unit]
    return single(Channel(layer, np.int32(index(unit))))


@overload
def neuron(layer: str, unit: int, *, position: tuple[int, ...] | None = None) -> Objective: ...
@overload
def neuron(layer: str, unit: Iterable[int], *, position: tuple[int, ...] | None = None) -> list[Objective]: ...
def neuron(
    layer: str, unit: int | Iterable[int], *, position: tuple[int, ...] | None = None
) -> Objective | list[Objective]:
    """A neuron: unit `unit` of `layer` at one position, (row, column) or (token,); the centre by default.

    >>> activations = {"conv1": jnp.arange(18.0).reshape(1, 3, 3, 2)}
    >>> float(neuron("conv1", 1)(activations)[0]), float(neuron("conv1", 0, position=(0, 2))(activations)[0])
    (9.0, 4.0)
    """
    if isinstance(unit, Iterable):
        return [neuron(layer, each, position=position) for each in unit]
    where = None if position is None else tuple(np.int32(index(at)) for at in position)
    return single(Neuron(layer, np.int32(index(unit)), where))


@overload
def logit(unit: int) -> Objective: ...
@overload
def logit(unit: Iterable[int]) -> list[Objective]: ...
def logit(unit: int | Iterable[int]) -> Objective | list[Objective]:
    """A class of the network: its output `unit`, before the softmax (Simonyan et al. 2013).

    >>> float(logit(1)({OUTPUT: jnp.array([[0.5, 2.0]])})[0])
    2.0
    """
    if isinstance(unit, Iterable):
        return [logit(each) for each in unit]
    return single(Logit(np.int32(index(unit))))


def direction(layer: str, vector: Any, *, power: float = 0.0) -> Objective:
    """A direction among a layer's units: mean over positions of dot(h, v) * max(.1, cosine(h, v))^power.

    `vector` has shape (units,). With `power` 0 it is the plain dot product (lucid's `direction`).

    >>> h = jnp.array([[3.0, 4.0]])
    >>> float(direction("fc", np.array([1.0, 0.0], np.float32))({"fc": h})[0])
    3.0
    >>> round(float(direction("fc", np.array([1.0, 0.0], np.float32), power=2.0)({"fc": h})[0]), 3)
    1.08
    """
    return single(Direction(layer, np.asarray(vector, np.float32), float(power)))
