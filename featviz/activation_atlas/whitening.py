"""Directions that tell a cell from all others: means multiplied by the inverse of the activations' second moments."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Of the mean second moment, so that silent units do not explode.
RIDGE = 1e-3


class Moments(NamedTuple):
    """What a layer's activations are on average.

    Args:
      center: what directions are meant from: zero for rectified layers, the mean for signed ones.
      second: XᵀX / N, where X are the activations from the center.
    """

    center: Float[np.ndarray, " units"]
    second: Float[np.ndarray, "units units"]


def measure_moments(values: Float[np.ndarray, "rows units"], center: Float[np.ndarray, " units"]) -> Moments:
    """The second moments of activations about a center.

    >>> measure_moments(np.array([[1.0, 0.0], [0.0, 2.0]]), np.zeros(2)).second.tolist()
    [[0.5, 0.0], [0.0, 2.0]]
    """
    centered = np.asarray(values - center, np.float64)
    return Moments(center, centered.T @ centered / max(len(values), 1))


def whitened_directions(means: Float[np.ndarray, "cells units"], moments: Moments) -> Float[np.ndarray, "cells units"]:
    """(mean - center) (second + ridge I)^-1 of length 1.

    The ridge is a thousandth of the mean of the diagonal (Carter et al. 2019 have none). Without whitening all cells
    would look for what most activations have in common.

    Args:
      means: the cells' mean activations.
      moments: of all activations.

    >>> moments = measure_moments(np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), np.zeros(2))
    >>> whitened_directions(np.array([[1.0, 1.0]]), moments).astype(float).round(2).tolist()
    [[0.97, 0.24]]
    """
    second = moments.second
    ridge = RIDGE * max(np.trace(second) / len(second), 1e-12)
    centered = (means - moments.center).astype(np.float64)
    directions = np.linalg.solve(second + ridge * np.eye(len(second)), centered.T).T
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return (directions / np.maximum(lengths, 1e-12)).astype(np.float32)
