"""Objectives within a mask over a layer's positions."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Index, LayerTerm, Shapes, Values, read_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import check_unit


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Within(LayerTerm):
    """sum_p m_p a_p / sum_p m_p, a_p one unit at position p or, without a unit, the mean square of all units there."""

    unit: Index | None
    mask: Float[Values, "*positions"]

    @property
    def label(self) -> str:
        return f"{self.layer}:{'whole' if self.unit is None else int(self.unit)}@mask"

    def preactivation(self, instead: Mapping[str, str]) -> "Within":
        # A mean square has its smallest value at 0, with and without a ReLU.
        return self if self.unit is None else read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        chosen = jnp.mean(jnp.square(h), axis=-1) if self.unit is None else jnp.take(h, self.unit, axis=-1)
        mask = jnp.asarray(self.mask, jnp.float32)
        if mask.shape != chosen.shape[1:]:
            mask = jax.image.resize(mask, chosen.shape[1:], method="linear")
        axes = tuple(range(1, chosen.ndim))
        return jnp.sum(chosen * mask[None], axis=axes) / (jnp.sum(mask) + 1e-12)

    def check(self, shapes: Shapes) -> None:
        shape, found = shapes[self.layer], np.shape(self.mask)
        if self.unit is not None:
            check_unit(self.layer, self.unit, shape)
        # Only rows and columns can be resized: tokens have no order that a mask could follow.
        if len(shape) < 2 or len(found) != len(shape) - 1 or (len(shape) != 3 and found != shape[:-1]):
            raise FeatvizError(
                f"`mask` has shape {found}; {self.layer} has positions {shape[:-1]} at this picture size"
            )


def within(layer: str, mask: ArrayLike, *, unit: int | None = None) -> Objective:
    """What a layer does within a mask: sum_p m_p a_p / sum_p m_p over positions p.

    a_p is the activation of one unit at position p or, without a unit, the mean square of all units there. The
    objective is bound to a region; the picture may change wherever the network looks from there.

    Args:
      layer: the name of a layer of shape (n, h, w, units) or (n, tokens, units).
      mask: m, numbers from 0 to 1: (height, width) of any size, resized to the layer's rows and columns, or (tokens,).
      unit: the index of a unit, from 0; by default all units.

    Raises:
      FeatvizError: for a mask that is empty or outside [0,1]; by `render`, for one whose shape does not fit the layer.

    >>> h = jnp.array([[[[1.0], [3.0]], [[5.0], [7.0]]]])
    >>> float(within("conv1", np.array([[0.0, 1.0], [0.0, 1.0]]), unit=0)({"conv1": h})[0])
    5.0
    """
    weights = np.asarray(mask, np.float32)
    if weights.size == 0 or not (weights.min() >= 0 and weights.max() <= 1 and weights.max() > 0):
        raise FeatvizError(
            "`mask` is empty or outside [0,1]; expected numbers from 0 to 1, at least one of them above 0"
        )
    return single(Within(layer, None if unit is None else as_int("unit", unit), weights))


def _half(shape: tuple[int, ...]) -> np.ndarray:
    """A mask of the first half of the rows or tokens."""
    mask = np.zeros(shape[:-1], np.float32)
    mask[: (len(mask) + 1) // 2] = 1.0
    return mask


EXAMPLES: Examples = {
    "within": lambda layer, shape: within(layer, _half(shape) if shape[:-1] else [1.0]),
    "unit within": lambda layer, shape: within(layer, _half(shape) if shape[:-1] else [1.0], unit=3),
}
