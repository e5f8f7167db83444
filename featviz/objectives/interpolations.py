"""Groups of pictures that lead from one unit to another, and that are aligned along the way."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.arguments import as_int
from featviz.model import Activations
from featviz.objectives.base import Index, LayerTerm, Scalar, Shapes, read_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import check_unit, position_rows

# How far apart in the group two images still pull at one another (lucid, optvis/objectives.py, alignment).
NEIGHBORS = 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Interpolation(LayerTerm):
    """(1 - t) a + t b for image i of n, t = i / (n - 1), a and b the means over positions of two units."""

    first: Index
    last: Index

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.first)}..{int(self.last)}"

    @property
    def depends_on_group(self) -> bool:
        return True

    def preactivation(self, instead: Mapping[str, str]) -> "Interpolation":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        means = jnp.mean(position_rows(activations[self.layer]), axis=1)
        t = jnp.linspace(0.0, 1.0, means.shape[0], dtype=jnp.float32)
        return (1 - t) * jnp.take(means, self.first, axis=-1) + t * jnp.take(means, self.last, axis=-1)

    def check(self, shapes: Shapes) -> None:
        for unit in (self.first, self.last):
            check_unit(self.layer, unit, shapes[self.layer])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Alignment(LayerTerm):
    """-1/2 sum_{0 < |i - j| <= 4} mean (h_i - h_j)^2 / decay^|i - j| for image i."""

    decay: Scalar

    @property
    def label(self) -> str:
        return f"{self.layer}:alignment"

    @property
    def depends_on_group(self) -> bool:
        return True

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        count = h.shape[0]
        total = jnp.zeros(count, jnp.float32)
        for apart in range(1, min(NEIGHBORS, count - 1) + 1):
            distance = jnp.mean(jnp.square(h[apart:] - h[:-apart]), axis=tuple(range(1, h.ndim)))
            share = 0.5 * distance / jnp.asarray(self.decay, jnp.float32) ** apart
            total = total - jnp.pad(share, (apart, 0)) - jnp.pad(share, (0, apart))
        return total


def interpolate(layer: str, first: int, last: int) -> Objective:
    """From one unit to another across a group: (1 - t) a + t b for image i of n, t = i / (n - 1).

    a and b are the means over positions of the units `first` and `last` (lucid's `channel_interpolate`). A group of one
    shows the first. For `render_group`, best with `alignment` and a `Shared` parameterization.

    Args:
      layer: the name of the layer.
      first: the index of the unit that the first image shows, from 0.
      last: the index of the unit that the last image shows.

    Raises:
      FeatvizError: for an index that is not an integer; by `render`, for a unit that the layer lacks.

    >>> h = jnp.array([[[1.0, 5.0]], [[1.0, 5.0]], [[1.0, 5.0]]])
    >>> interpolate("fc", 0, 1)({"fc": h}).tolist()
    [1.0, 3.0, 5.0]
    """
    return single(Interpolation(layer, as_int("first", first), as_int("last", last)))


def alignment(layer: str, *, decay: float = 2.0) -> Objective:
    """Neighbors in a group alike: -1/2 sum over |i - j| <= 4 of mean (h_i - h_j)^2 / decay^|i - j| for image i.

    Summed over the group it is minus lucid's `alignment`. For `render_group`, with `interpolate` or with directions.

    Args:
      layer: the name of a layer of any shape.
      decay: by what the weight of two images is divided for each place between them.

    >>> h = jnp.array([[[0.0]], [[2.0]]])
    >>> [float(v) for v in alignment("fc")({"fc": h})]
    [-1.0, -1.0]
    """
    return single(Alignment(layer, np.float32(decay)))


EXAMPLES: Examples = {
    "interpolate": lambda layer, shape: interpolate(layer, 1, 6),
    "alignment": lambda layer, shape: alignment(layer),
}
