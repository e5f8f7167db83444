"""E0: how far a picture excites its unit beyond photographs."""

import numpy as np
from jaxtyping import Float

from featviz.evaluation.figures.base import EvidenceFigure, Quantity, UnitArrays, as_deviations, as_integer
from featviz.evaluation.sample_statistics import percentile_of


def relative_activation(activation: float, sample: Float[np.ndarray, " photos"]) -> tuple[float, float]:
    """An activation in standard deviations from the mean of a sample, and its percentile there.

    z = (a_u(p) - mean a_u(A)) / sd a_u(A); inf, nan or -inf where the unit does not vary.

    Args:
      activation: of the picture, a_u(p).
      sample: of photographs, a_u(A).

    Returns: z, and the percentile in [0, 100].

    >>> z, percentile = relative_activation(3.0, np.array([0.0, 2.0]))
    >>> float(z), float(percentile)
    (2.0, 100.0)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.float64(activation) - sample.mean(dtype=np.float64)) / sample.std(dtype=np.float64)
    return float(z), percentile_of(activation, sample)


def _compute(arrays: UnitArrays) -> tuple[float, float]:
    return relative_activation(float(arrays.activations[:, arrays.unit].mean()), arrays.activations_a)


ACTIVATION = EvidenceFigure(
    name="E0",
    title="activation",
    formula="(a_u(p) - mean a_u(A)) / sd a_u(A); the share of A with a_u(x) < a_u(p)",
    meaning="How far the picture excites the unit beyond photographs, in standard deviations of its largest "
    "activation over half of them, and the share of them that it exceeds; far above 3 is good.",
    quantities=(
        Quantity("activation_z", -np.inf, np.inf, as_deviations, "E0 sd"),
        Quantity("activation_percentile", 0, 100, as_integer),
    ),
    compute=_compute,
    value="{activation_z} sd",
    beside="percentile {activation_percentile}",
)
