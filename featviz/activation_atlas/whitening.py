"""Directions that tell a cell from all others: means multiplied by the inverse of the activations' second moments."""

import numpy as np
from jaxtyping import Float

# Of the mean second moment, so that silent units do not explode.
RIDGE = 1e-3


def whitened_directions(
    means: Float[np.ndarray, "cells units"],
    values: Float[np.ndarray, "rows units"],
    center: Float[np.ndarray, " units"],
) -> Float[np.ndarray, "cells units"]:
    """(mean - center) (XᵀX / N + ridge I)^-1 of length 1, where X are the activations from the center.

    The ridge is a thousandth of the mean of the diagonal (Carter et al. 2019 have none). Without whitening all cells
    would look for what most activations have in common.

    Args:
      means: the cells' mean activations.
      values: the activations.
      center: zero for rectified layers, the mean for signed ones.

    >>> values = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], np.float32)
    >>> whitened_directions(np.array([[1.0, 1.0]]), values, np.zeros(2)).round(2).tolist()
    [[0.97, 0.24]]
    """
    centered = np.asarray(values - center, np.float64)
    moments = centered.T @ centered / max(len(values), 1)
    ridge = RIDGE * max(np.trace(moments) / len(moments), 1e-12)
    directions = np.linalg.solve(moments + ridge * np.eye(len(moments)), (means - center).T.astype(np.float64)).T
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return (directions / np.maximum(lengths, 1e-12)).astype(np.float32)
