"""Objectives of a layer as a whole, or of one attention head's share of it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Objective, Shapes, single


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["layer"])
@dataclass(frozen=True)
class MeanSquare:
    """The mean of the squares of all activations of a layer."""

    layer: str

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:whole"

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        return jnp.mean(jnp.square(h), axis=tuple(range(1, h.ndim)))

    def check(self, shapes: Shapes) -> None:
        """Every layer will do."""


@partial(jax.tree_util.register_dataclass, data_fields=["number"], meta_fields=["layer", "heads"])
@dataclass(frozen=True)
class Head:
    """The mean of the squares of one attention head's units, of layers whose units are those of all heads in turn."""

    layer: str
    number: Any
    heads: int

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:head{int(self.number)}of{self.heads}"

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        split = h.reshape(*h.shape[:-1], self.heads, h.shape[-1] // self.heads)
        own = jnp.take(split, self.number, axis=-2)
        return jnp.mean(jnp.square(own), axis=tuple(range(1, own.ndim)))

    def check(self, shapes: Shapes) -> None:
        units = shapes[self.layer][-1]
        if units % self.heads:
            raise FeatvizError(f"`heads` is {self.heads}; {self.layer} has {units} units, expected a divisor")


def head(layer: str, number: int, *, heads: int) -> Objective:
    """What an attention head puts out: mean over positions of the squares of its units, number 0 to heads - 1.

    `layer` holds the outputs of all heads one after the other, as they go into the attention's last projection; in
    networks that featviz traces it is named `heads`. One unit of a head is a channel of it.

    >>> float(head("heads", 1, heads=2)({"heads": jnp.array([[[0.0, 0.0, 1.0, 3.0]]])})[0])
    5.0

    Raises: FeatvizError for a number that is none of the heads', and by render where `heads` does not divide the units.
    """
    heads = int(as_int("heads", heads))
    if heads < 1 or not 0 <= as_int("number", number) < heads:
        raise FeatvizError(f"`number` is {number} of {heads} heads; expected 0 to {max(heads, 1) - 1}")
    return single(Head(layer, as_int("number", number), heads))


def deepdream(layer: str) -> Objective:
    """DeepDream's objective: mean of squares over a whole layer (Mordvintsev et al. 2015).

    Its gradient at the layer is the activation itself, times 2 over the number of activations.

    >>> float(deepdream("fc")({"fc": jnp.array([[1.0, 3.0]])})[0])
    5.0
    """
    return single(MeanSquare(layer))
