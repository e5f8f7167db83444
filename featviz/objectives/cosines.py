"""The cosine with a direction: the angle alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from featviz.model import Activations
from featviz.objectives.base import LayerTerm, Shapes, Values, read_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import (
    Position,
    as_position,
    at_position,
    check_position,
    position_mean,
    write_position,
)
from featviz.objectives.vectors import check_vector, dot_product, norm_product


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Cosine(LayerTerm):
    """mean over positions of dot(h, v) / (|h| |v|), or its value at one position."""

    vector: Float[Values, " units"]
    position: Position | None = None

    @property
    def label(self) -> str:
        return f"{self.layer}:cosine" + ("" if self.position is None else write_position(self.position))

    @property
    def mean_over_positions(self) -> bool:
        return self.position is None

    def preactivation(self, instead: Mapping[str, str]) -> "Cosine":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        h = h if self.position is None else at_position(h, self.position)
        return position_mean(dot_product(h, self.vector) / (norm_product(h, self.vector) + 1e-6))

    def check(self, shapes: Shapes) -> None:
        check_vector(self.layer, self.vector, shapes[self.layer])
        if self.position is not None:
            check_position(self.layer, self.position, shapes[self.layer])


def cosine(layer: str, vector: ArrayLike, *, position: tuple[int, ...] | None = None) -> Objective:
    """The cosine alone: mean over positions of dot(h, v) / (|h| |v|), from -1 to 1 (lucid's `direction_cossim`).

    Only the angle counts: an image that hardly activates the layer may have the largest cosine.

    Args:
      layer: the name of the layer.
      vector: v, (units,).
      position: (row, column) or (token,), for the value at one position instead of the mean.

    Raises:
      FeatvizError: by `render`, for a vector that has another number of units than the layer.

    >>> round(float(cosine("fc", np.array([2.0, 0.0]))({"fc": np.array([[3, 4]], np.float32)})[0]), 4)
    0.6
    """
    return single(Cosine(layer, np.asarray(vector, np.float32), as_position(position)))


EXAMPLES: Examples = {
    "cosine": lambda layer, shape: cosine(layer, np.linspace(-1, 1, shape[-1])),
    "cosine at a position": lambda layer, shape: cosine(
        layer, np.linspace(-1, 1, shape[-1]), position=tuple(size - 1 for size in shape[:-1])
    ),
}
