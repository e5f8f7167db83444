"""Edits: what a network computes at a layer, changed. `model.edited({layer: edit})` is the network with them.

An edit is a frozen pytree: its numbers, units and positions are leaves and so arguments of a compiled program, which
serves every unit. It maps a layer's activations (n, *positions, units) to others of the same shape.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from featviz.errors import FeatvizError

# A field that is part of an edit's structure rather than a leaf.
STATIC = {"static": True}
# Leaves: arrays of NumPy until a program takes them.
Leaf = np.ndarray | jax.Array
Scalar = np.floating | jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Selection:
    """The units and positions that an edit changes.

    Attributes:
        units: Their indices, or None for all.
        positions: One row a position, or None for all.
        outside: Whether what is changed is all but these.
        sizes: Those of the layer for which positions were given, by `Edit.fitted`; at another picture size they would
            be other places.
    """

    units: Int[Leaf, " k"] | None = None
    positions: Int[Leaf, "m rank"] | None = None
    outside: bool = field(default=False, metadata=STATIC)
    sizes: tuple[int, ...] | None = field(default=None, metadata=STATIC)

    def mask(self, shape: Sequence[int]) -> Bool[Array, "*positions units"]:
        """Which values of an activation of a shape (*positions, units) are changed.

        >>> Selection(units=jnp.array([1]), positions=jnp.array([[0]])).mask((2, 2)).tolist()
        [[False, True], [False, False]]
        """
        if self.sizes is not None and tuple(shape[:-1]) != self.sizes:
            given, found = (" x ".join(map(str, each)) for each in (self.sizes, shape[:-1]))
            raise FeatvizError(
                f"an edit's `positions` are of a layer of {given}; at this picture size it is {found}; expected "
                "pictures of the network's own size, or an edit without positions"
            )
        mask = jnp.ones(tuple(shape), bool)
        if self.units is not None:
            mask = mask & jnp.broadcast_to(jnp.zeros(shape[-1], bool).at[self.units].set(True), mask.shape)
        if self.positions is not None:
            chosen = jnp.zeros(tuple(shape[:-1]), bool).at[tuple(jnp.moveaxis(self.positions, -1, 0))].set(True)
            mask = mask & jnp.broadcast_to(chosen[..., None], mask.shape)
        return ~mask if self.outside else mask

    def check(self, layer: str, shape: Sequence[int]) -> None:
        """Raises FeatvizError unless a layer of that shape (*positions, units) has the units and the positions."""
        if self.units is not None:
            missing = [int(unit) for unit in np.asarray(self.units) if not 0 <= unit < shape[-1]]
            if missing:
                raise FeatvizError(f"`units` has {missing[0]}; {layer} has {shape[-1]} units, 0 to {shape[-1] - 1}")
        if self.positions is None:
            return
        sizes, rows = tuple(shape[:-1]), np.asarray(self.positions)
        if not sizes:
            raise FeatvizError(f"`positions` is given; {layer} has no positions")
        if rows.shape[-1] != len(sizes):
            raise FeatvizError(
                f"`positions` has {rows.shape[-1]} numbers a position; expected {len(sizes)}, as {layer}"
            )
        outside = [tuple(row.tolist()) for row in rows if ((row < 0) | (row >= sizes)).any()]
        if outside:
            size = " x ".join(map(str, sizes))
            raise FeatvizError(f"`positions` has {outside[0]}, which is outside {layer}, {size} at this picture size")


@dataclass(frozen=True)
class Edit(ABC):
    """A change of a layer's activations where its selection says so."""

    where: Selection

    @abstractmethod
    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        """What stands in place of the activations, wherever they are changed."""

    def check_values(self, layer: str, shape: Sequence[int]) -> None:  # noqa: B027
        """Raises FeatvizError unless the edit's own numbers fit a layer of that shape (*positions, units)."""

    def check(self, layer: str, shape: Sequence[int]) -> None:
        """Raises FeatvizError unless the edit fits a layer of that shape (*positions, units)."""
        self.where.check(layer, shape)
        self.check_values(layer, shape)

    def fitted(self, layer: str, shape: Sequence[int]) -> "Edit":
        """The edit of a layer of that shape (*positions, units), if it fits.

        Raises:
            FeatvizError: If it does not.
        """
        self.check(layer, shape)
        if self.where.positions is None:
            return self
        return replace(self, where=replace(self.where, sizes=tuple(shape[:-1])))

    def __call__(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        """The edited activations."""
        new = jnp.broadcast_to(self.new(h), h.shape).astype(h.dtype)
        if self.where.units is None and self.where.positions is None and not self.where.outside:
            return new
        return jnp.where(self.where.mask(h.shape[1:])[None], new, h)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Clamp(Edit):
    """h = value: one number, or one for each chosen unit."""

    value: Float[Leaf, "*k"]

    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        value = jnp.asarray(self.value)
        if value.ndim == 0 or self.where.units is None:
            return jnp.broadcast_to(value, h.shape)
        return jnp.broadcast_to(jnp.zeros(h.shape[-1], value.dtype).at[self.where.units].set(value), h.shape)

    def check_values(self, layer: str, shape: Sequence[int]) -> None:
        count = shape[-1] if self.where.units is None else len(self.where.units)
        if np.ndim(self.value) and np.shape(self.value) != (count,):
            raise FeatvizError(
                f"the value for {layer} has shape {np.shape(self.value)}; expected one number, or one for each of "
                f"{count} units"
            )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Scale(Edit):
    """factor h."""

    factor: Scalar

    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        return h * self.factor


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AddDirection(Edit):
    """h + strength direction."""

    direction: Float[Leaf, " units"]
    strength: Scalar

    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        return h + jnp.broadcast_to(self.strength * self.direction, h.shape)

    def check_values(self, layer: str, shape: Sequence[int]) -> None:
        if np.shape(self.direction) != (shape[-1],):
            raise FeatvizError(
                f"`direction` has shape {np.shape(self.direction)}; {layer} has {shape[-1]} units, so ({shape[-1]},)"
            )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PatchIn(Edit):
    """h = values, those of another image."""

    values: Float[Leaf, "*positions units"]

    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        self.check_values("the layer", h.shape[1:])
        return jnp.broadcast_to(jnp.asarray(self.values), h.shape)

    def check_values(self, layer: str, shape: Sequence[int]) -> None:
        if np.shape(self.values) != tuple(shape):
            raise FeatvizError(
                f"the patched-in values have shape {np.shape(self.values)}; {layer} has {tuple(shape)} at this picture "
                "size"
            )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StandIn(PatchIn):
    """h = values, those that the layer has after all its edits, also those of latents that a dictionary makes of it."""


class EditedWeights(NamedTuple):
    """The weights of an edited network: those of the network, and the edits of each layer in their order."""

    network: object
    edits: dict[str, tuple[Edit, ...]]
