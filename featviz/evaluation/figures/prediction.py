"""E1: whether a picture predicts which photographs excite its unit."""

import numpy as np
from jaxtyping import Float

from featviz.evaluation.figures.base import EvidenceFigure, Quantity, UnitArrays, as_share
from featviz.evaluation.sample_statistics import finite_mean, unit_length


def prediction(
    pictures: Float[np.ndarray, "*pictures features"],
    high: Float[np.ndarray, "high features"],
    low: Float[np.ndarray, "low features"],
) -> float:
    """How often a picture is nearer to a photograph that excites the unit than to one that does not, in [0, 1].

    The share of pairs (q+, q-) with cos(phi(p) - m, phi(q+) - m) > cos(phi(p) - m, phi(q-) - m), a tie a half, with m
    the mean of phi over the pairs; .5 is chance. A two-alternative forced choice with a network in the place of the
    participants of Borowski et al. 2021 and Zimmermann et al. 2021.

    Args:
      pictures: phi(p); of several pictures the normalized differences from m are averaged.
      high: phi(q+), one row a photograph that excites the unit.
      low: phi(q-).

    Returns: the share; nan if there are no pairs.

    >>> high, low = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    >>> prediction(np.array([2.0, 1.0]), high, low), prediction(np.array([1.0, 2.0]), high, low)
    (1.0, 0.0)
    """
    if not (len(high) and len(low)):
        return float("nan")
    middle = (high.mean(0) + low.mean(0)) / 2
    guess = unit_length(np.atleast_2d(pictures) - middle).mean(0)
    near, far = (unit_length(photos - middle) @ guess for photos in (high, low))
    return float((near[:, None] > far).mean() + (near[:, None] == far).mean() / 2)


def _compute(arrays: UnitArrays) -> tuple[float, ...]:
    high, next_high, low = arrays.high_crops, arrays.next_high_crops, arrays.low_crops
    return (
        prediction(arrays.picture_crops, high, low),
        prediction(arrays.top_crops, high, low),
        finite_mean([prediction(crops, high, low) for crops in arrays.other_crops]),
        prediction(arrays.picture_crops, high, next_high),
        prediction(arrays.top_crops, high, next_high),
        prediction(arrays.top_crops[:1], high, low),
        prediction(arrays.top_crops[: len(arrays.picture_crops)], high, low),
    )


PREDICTION = EvidenceFigure(
    name="E1",
    title="prediction",
    formula="share of pairs (q+, q-), one of the top and one of the bottom decile of B, with "
    "cos(phi(p) - m, phi(q+) - m) > cos(phi(p) - m, phi(q-) - m), m the mean of phi; hard: q- of the second decile",
    meaning="How often another network, shown the picture, tells a photograph that excites the unit from one "
    "that does not: at best as often as with the unit's top photographs, at worst as with other units' pictures. One "
    "picture compares with the best photograph alone, K pictures with as many.",
    quantities=(
        Quantity("prediction", 0, 1, as_share, "E1"),
        Quantity("photo_prediction", 0, 1, as_share, "photos"),
        Quantity("other_units_prediction", 0, 1, as_share, "others"),
        Quantity("prediction_hard", 0, 1, as_share, "hard"),
        Quantity("photo_prediction_hard", 0, 1, as_share),
        Quantity("best_photo_prediction", 0, 1, as_share),
        Quantity("as_many_photos_prediction", 0, 1, as_share),
    ),
    compute=_compute,
    value="{prediction}",
    beside="photos {photo_prediction}, best {best_photo_prediction}, others {other_units_prediction}",
)
