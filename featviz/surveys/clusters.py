"""Groups of vectors that point the same way: spherical k-means, deterministic."""

import numpy as np
from jaxtyping import Float, Int

# From as many first centers; the groups that fit best are taken.
STARTS = 8
MAX_ROUNDS = 50


def cluster(rows: Float[np.ndarray, "n features"], count: int) -> Int[np.ndarray, " n"]:
    """The group of each row by spherical k-means (Dhillon and Modha 2001), the largest group first.

    It begins at a row and at those that are farthest from the ones chosen before, several times, each time at another
    row. No group is empty: one that would be takes the row that fits its own group least.

    Args:
      rows: of unit length, or of zeros.
      count: of groups, from 1 to the number of rows.

    Returns: for each row the index of its group, from 0; groups of one size are in the order of their first rows.

    >>> cluster(np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 0.99]]), 2).tolist()
    [1, 0, 0]
    """
    begins = np.unique(np.linspace(0, len(rows) - 1, STARTS).round().astype(int))
    fits = [_fit(rows, _far_apart(rows, int(begin), count)) for begin in begins]
    labels = max(fits, key=lambda fit: fit[1])[0]
    firsts = [int(np.flatnonzero(labels == group)[0]) for group in range(count)]
    sizes = np.bincount(labels, minlength=count)
    order = sorted(range(count), key=lambda group: (-sizes[group], firsts[group]))
    return np.argsort(order)[labels]


def _far_apart(rows: np.ndarray, begin: int, count: int) -> np.ndarray:
    """A row, and those that are farthest from the ones chosen before."""
    chosen = [begin]
    nearest = rows @ rows[begin]
    for _ in range(count - 1):
        free = np.where(np.isin(np.arange(len(rows)), chosen), np.inf, nearest)
        chosen.append(int(np.argmin(free)))
        nearest = np.maximum(nearest, rows @ rows[chosen[-1]])
    return rows[chosen]


def _fit(rows: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, float]:
    """The groups around these centers after k-means, and the sum of the rows' cosines with their centers."""
    labels = np.full(len(rows), -1)
    for _ in range(MAX_ROUNDS):
        cosines = rows @ centers.T
        found = cosines.argmax(1)
        for group in range(len(centers)):
            if not (found == group).any():
                sizes = np.bincount(found, minlength=len(centers))
                fit = np.where(sizes[found] > 1, cosines[np.arange(len(rows)), found], np.inf)
                found[int(np.argmin(fit))] = group
        if (found == labels).all():
            break
        labels = found
        sums = np.stack([rows[labels == group].sum(0) for group in range(len(centers))])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centers = sums / np.where(lengths > 0, lengths, 1)
    return labels, float(np.sum(rows * centers[labels]))
