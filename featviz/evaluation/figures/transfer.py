"""E5: whether another network's features predict that the picture excites the unit."""

import numpy as np
from jaxtyping import Float

from featviz.evaluation.figures.base import EvidenceFigure, Quantity, UnitArrays, as_deviations, as_integer, as_share
from featviz.evaluation.sample_statistics import percentile_of

# Ridge strengths that are tried, a photograph of A.
STRENGTHS = 10.0 ** np.arange(-3, 4)
NOTHING = float("nan"), float("nan"), float("nan")


def transfer(
    photos_a: Float[np.ndarray, "a features"],
    activations_a: Float[np.ndarray, " a"],
    photos_b: Float[np.ndarray, "b features"],
    activations_b: Float[np.ndarray, " b"],
    picture: Float[np.ndarray, " features"],
) -> tuple[float, float, float]:
    """How well another network's features predict the unit on photographs, and what they predict for the picture.

    Ridge regression of a_u on phi over A, standardized, its strength by leave-one-out error in closed form (Hastie et
    al., The Elements of Statistical Learning, 7.10). On B, Pearson's correlation of its predictions with a_u. Then
    its prediction for the picture among those for B: the percentile, and in standard deviations from their mean.

    Args:
      photos_a: phi over A.
      activations_a: a_u over A.
      photos_b: phi over B.
      activations_b: a_u over B.
      picture: phi(p).

    Returns: correlation, percentile, deviations. All are nan where the unit does not vary over A, the correlation
      also where it does not vary over B.
    """
    if not (len(activations_a) and np.ptp(activations_a) > 0 and len(activations_b)):
        return NOTHING
    middle, spread = photos_a.mean(0), photos_a.std(0)
    spread = np.where(spread > 0, spread, 1)
    x = (photos_a - middle).astype(np.float64) / spread
    y = activations_a.astype(np.float64) - activations_a.mean(dtype=np.float64)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    projected = u.T @ y
    _, strength = min(
        (float(np.mean(((y - u @ (shrinkage * projected)) / (1 - (u**2) @ shrinkage - 1 / len(y))) ** 2)), strength)
        for strength in len(y) * STRENGTHS
        for shrinkage in [s**2 / (s**2 + strength)]
    )
    coefficients = vt.T @ (s / (s**2 + strength) * projected)
    predicted = ((photos_b - middle) / spread) @ coefficients
    for_picture = float(((picture - middle) / spread) @ coefficients)
    varies = np.ptp(predicted) > 0
    both_vary = varies and np.ptp(activations_b) > 0
    correlation = float(np.corrcoef(predicted, activations_b)[0, 1]) if both_vary else float("nan")
    z = float((for_picture - predicted.mean()) / predicted.std()) if varies else float("nan")
    return correlation, percentile_of(for_picture, predicted), z


def _compute(arrays: UnitArrays) -> tuple[float, float, float]:
    r, percentile, z = transfer(
        arrays.photos_a, arrays.activations_a, arrays.photos_b, arrays.activations_b, arrays.pictures.mean(0)
    )
    return percentile, r, z


TRANSFER = EvidenceFigure(
    name="E5",
    title="transfer",
    formula="percentile of w @ phi(p) among w @ phi(B), and its z there; w by ridge regression of a_u on phi over A; "
    "r = Pearson's correlation of w @ phi(B) with a_u(B)",
    meaning="What another network, fitted to the unit on photographs alone, predicts for the picture, as a percentile "
    "among its predictions for photographs, and how well it predicts the unit on those (r); above 90 % is good.",
    quantities=(
        Quantity("transfer_percentile", 0, 100, as_integer, "E5 %"),
        Quantity("predicted_r", -1, 1, as_share, "E5 r"),
        Quantity("transfer_z", -np.inf, np.inf, as_deviations),
    ),
    compute=_compute,
    value="{transfer_percentile} %",
    beside="r {predicted_r}",
)
