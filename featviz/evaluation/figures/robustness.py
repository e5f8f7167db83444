"""E3: whether a picture's activation is as robust to corruptions as that of photographs."""

import numpy as np
from jaxtyping import Float

from featviz.evaluation.figures.base import EvidenceFigure, Quantity, UnitArrays, as_share
from featviz.evaluation.sample_statistics import finite_mean

# Below this share retained on photographs, the quotient is noise.
MIN_RETAINED = 0.05


def retained(before: float, after: Float[np.ndarray, " corruptions"], baseline: float) -> float:
    """The share of an activation that corruptions retain: mean over them of (after - baseline) / (before - baseline).

    Args:
      before: the activation on the image as it is.
      after: that on the image under each corruption.
      baseline: the activation that counts as none.

    Returns: the share; nan if the image did not excite the unit beyond the baseline.

    >>> retained(4.0, np.array([2.0, 1.0]), 0.0)
    0.375
    """
    return float(np.mean((after - baseline) / (before - baseline))) if before > baseline else float("nan")


def _mean_retained(activations: Float[np.ndarray, "images versions"], baseline: float) -> float:
    return finite_mean([retained(float(row[0]), row[1:], baseline) for row in activations])


def _compute(arrays: UnitArrays) -> tuple[float]:
    photos = _mean_retained(arrays.corrupted_photos, arrays.baseline)
    pictures = _mean_retained(arrays.corrupted_pictures, arrays.baseline)
    return (pictures / photos if photos > MIN_RETAINED else float("nan"),)


ROBUSTNESS = EvidenceFigure(
    name="E3",
    title="robustness",
    formula="r(p) / r(top photographs), r the mean of (a_u(c(x)) - b) / (a_u(x) - b) over corruptions c: JPEG, "
    "blur, shrinking, less contrast; b is 0 for a rectified unit, else mean a_u(A)",
    meaning="The share of the picture's activation that JPEG, blur, shrinking and less contrast retain, relative to "
    "the share that they retain of photographs'; 1 is as robust as photographs.",
    quantities=(Quantity("robustness", -np.inf, np.inf, as_share, "E3"),),
    compute=_compute,
    value="{robustness}",
    beside="photos 1",
)
