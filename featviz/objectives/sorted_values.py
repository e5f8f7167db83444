"""Statistics of a layer: how each unit's activations are distributed over positions, whatever lies where."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import LayerTerm, Shapes, Values
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import position_rows


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Statistics(LayerTerm):
    """-mean over ranks r and units c of m_c (h_rc - t_rc)^2, h_rc the activation of rank r of unit c over positions."""

    targets: Float[Values, "ranks units"]
    importance: Float[Values, " units"]

    @property
    def label(self) -> str:
        return f"{self.layer}:statistics"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        # Positions last: a sort along rows that lie together in memory is several times faster.
        ranked = jnp.sort(jnp.swapaxes(position_rows(activations[self.layer]), 1, 2), axis=-1)
        targets = jnp.asarray(self.targets, jnp.float32).T
        wanted = resample(targets, ranked.shape[-1])
        importance = jnp.asarray(self.importance, jnp.float32)
        return -jnp.mean(importance[None] * jnp.mean(jnp.square(ranked - wanted[None]), axis=-1), axis=-1)

    def check(self, shapes: Shapes) -> None:
        units, found = shapes[self.layer][-1], np.shape(self.targets)
        if found[-1] != units:
            raise FeatvizError(
                f"`targets` has shape {found}; {self.layer} has {units} units, expected (ranks, {units})"
            )


def resample(values: Float[Array, "units ranks"], count: int) -> Float[Array, "units count"]:
    """Sorted values at another number of ranks: each the mean over its share of them, so that their mean stays.

    >>> resample(jnp.array([[0.0, 1.0, 2.0, 9.0]]), 2).tolist()
    [[0.5, 5.5]]
    """
    ranks = values.shape[-1]
    if ranks == count:
        return values
    # The integral over ranks, at the edges of the new ones; it is linear within a rank.
    edges = np.arange(count + 1) * ranks / count
    below = np.minimum(edges.astype(int), ranks - 1)
    share = jnp.asarray(edges - below, jnp.float32)[None]
    before = jnp.cumsum(values, axis=-1) - values
    integral = before[:, below] + share * values[:, below]
    return jnp.diff(integral, axis=-1) * (count / ranks)


def statistics(layer: str, targets: ArrayLike, *, importance: ArrayLike | None = None) -> Objective:
    """Units distributed over positions as wanted: -mean over ranks r and units c of m_c (h_rc - t_rc)^2.

    h_rc is the activation of rank r of unit c over all positions. The gradient passes through the values, each to the
    position at which it is. With the mean over images of their sorted activations as targets this is VITAL's sort
    matching (Gorgun et al. 2025); `vital` makes them of photographs.

    Args:
      layer: the name of a layer of any shape.
      targets: t, (ranks, units), in any order: of an image what `fv.observe` gives, with all positions on one axis. Of
        another number of ranks than the layer has positions, each is the mean over its share of them.
      importance: m, (units,), from 0; by default 1 for all.

    Raises:
      FeatvizError: for arrays of another shape, or a negative importance; by `render`, for targets of another number of
        units than the layer has.

    >>> wanted = np.array([[0.0, 1.0], [2.0, 3.0]])
    >>> h = jnp.array([[[2.0, 1.0], [0.0, 5.0]]])
    >>> statistics("fc", wanted)({"fc": h}).tolist()
    [-1.0]
    >>> statistics("fc", wanted, importance=[1.0, 0.0])({"fc": h}).tolist()
    [0.0]
    """
    values = np.asarray(targets, np.float32)
    if values.ndim != 2 or not values.size:
        raise FeatvizError(f"`targets` has shape {values.shape}; expected (ranks, units)")
    weights = np.ones(values.shape[1], np.float32) if importance is None else np.asarray(importance, np.float32)
    if weights.shape != values.shape[1:]:
        raise FeatvizError(f"`importance` has shape {weights.shape}; expected ({values.shape[1]},), one a unit")
    if not (weights >= 0).all():
        raise FeatvizError(f"`importance` has {weights.min()}; expected numbers of 0 or more")
    return single(Statistics(layer, np.sort(values, axis=0), weights))


EXAMPLES: Examples = {
    "statistics": lambda layer, shape: statistics(layer, np.linspace(-1, 2, 11 * shape[-1]).reshape(11, shape[-1])),
}
