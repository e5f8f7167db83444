"""E2: whether a picture excites its unit more than the other units of the layer."""

import numpy as np
from jaxtyping import Float

from featviz.evaluation.figures.base import EvidenceFigure, Quantity, UnitArrays, as_integer
from featviz.evaluation.sample_statistics import finite_mean


def selectivity_rank(
    activations: Float[np.ndarray, " units"],
    mean: Float[np.ndarray, " units"],
    sd: Float[np.ndarray, " units"],
    unit: int,
) -> int:
    """The rank of a unit among those of its layer by z_v = (a_v(p) - mean_v) / sd_v over A; 1 is best.

    Units that do not vary over A, or are nan, are left out; such a unit itself ranks last.

    Args:
      activations: of all units on the picture, a_v(p).
      mean: of each unit over A.
      sd: standard deviation of each unit over A.
      unit: the unit's index.

    >>> selectivity_rank(np.array([1.0, 5.0, 3.0]), np.zeros(3), np.array([1.0, 1.0, 0.0]), 0)
    2
    """
    varies = (sd > 0) & ~np.isnan(activations)
    z = np.where(varies, (activations - mean) / np.where(varies, sd, 1), -np.inf)
    return int((z > z[unit]).sum()) + 1


def _compute(arrays: UnitArrays) -> tuple[float]:
    ranks = [selectivity_rank(row, arrays.layer_mean, arrays.layer_sd, arrays.unit) for row in arrays.activations]
    return (finite_mean(ranks),)


SELECTIVITY = EvidenceFigure(
    name="E2",
    title="selectivity",
    formula="rank of u among the units v of its layer by (a_v(p) - mean a_v(A)) / sd a_v(A)",
    meaning="The unit's rank in its layer by how unusually the picture excites it; 1 is best.",
    quantities=(Quantity("selectivity_rank", 1, np.inf, as_integer, "E2"),),
    compute=_compute,
    value="rank {selectivity_rank}",
)
