"""Objectives of a layer as a whole."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from featviz.model import Activations
from featviz.objectives.objective import Objective, Shapes, single


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


def deepdream(layer: str) -> Objective:
    """DeepDream's objective: mean of squares over a whole layer (Mordvintsev et al. 2015).

    Its gradient at the layer is the activation itself, times 2 over the number of activations.

    >>> float(deepdream("fc")({"fc": jnp.array([[1.0, 3.0]])})[0])
    5.0
    """
    return single(MeanSquare(layer))
