"""Monosemanticity: whether the photographs that activate a unit are alike (Pach et al. 2025, arXiv:2504.02821).

    MS = sum_{i<j} a_i a_j cos(e_i, e_j) / sum_{i<j} a_i a_j

over photographs i and j, with the unit's activations a scaled to [0, 1] and the embeddings e of another network. With
embeddings of length 1 both sums are squares, |sum a_i e_i|² - sum a_i² and (sum a_i)² - sum a_i², so that the pairs
are never formed.
"""

import numpy as np
from jaxtyping import Float

# Activations that are in double precision at once.
BLOCK = 1 << 22


def monosemanticity(
    activations: Float[np.ndarray, "photos units"], embeddings: Float[np.ndarray, "photos width"]
) -> Float[np.ndarray, " units"]:
    """The monosemanticity score of each unit, in [-1, 1].

    Args:
      activations: one number for each photograph and unit, such as `Survey.maxima`.
      embeddings: of the photographs, of any length, such as `Features` gives them.

    Returns:
      the scores; nan of a unit that is active on fewer than two photographs, or is not finite on some.

    >>> embeddings = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> monosemanticity(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), embeddings).tolist()
    [1.0, 0.0]
    """
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    directions = embeddings / np.where(lengths > 0, lengths, 1)
    norms = np.square(directions).sum(axis=1)
    scores = np.empty(activations.shape[1])
    width = max(BLOCK // max(len(activations), 1), 1)
    for first in range(0, activations.shape[1], width):
        block = activations[:, first : first + width].astype(np.float64)
        finite = np.isfinite(block).all(axis=0)
        block = np.where(finite, block, 0)
        low, high = block.min(axis=0), block.max(axis=0)
        weights = (block - low) / np.where(high > low, high - low, 1)
        squares = np.square(weights)
        pairs = np.square(weights.sum(axis=0)) - squares.sum(axis=0)
        alike = np.square(weights.T @ directions).sum(axis=1) - norms @ squares
        # One photograph makes no pair; what is left of its difference is rounding.
        known = finite & (pairs > 1e-9)
        scores[first : first + width] = np.where(known, alike / np.where(known, pairs, 1), np.nan)
    return scores


def mean_cosine(embeddings: Float[np.ndarray, "photos width"]) -> float:
    """The mean cosine of all pairs of photographs: the score of a unit that is equally active on all of them.

    >>> mean_cosine(np.array([[1.0, 0.0], [0.0, 2.0]]))
    0.0
    """
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    directions = embeddings / np.where(lengths > 0, lengths, 1)
    count = len(directions)
    if count < 2:
        return float("nan")
    total = float(np.square(directions.sum(axis=0)).sum() - np.square(directions).sum())
    return total / (count * (count - 1))
