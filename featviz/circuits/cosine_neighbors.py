"""The rows of a large matrix with the highest cosine similarity, without the matrix of all similarities."""

import numpy as np
from jaxtyping import Bool, Float, Int

from featviz.circuits.ranking import BLOCK, RankedRows, row_blocks

# Rows on each side of a block of cosines.
SIDE = 1024
# Up to this many rows all cosines are computed in double precision; above, only those that may be among the highest.
DENSE_ROWS = 2048
# How many candidates more than requested are computed again in double precision.
SPARE = 8


def cosine_neighbors(matrix: Float[np.ndarray, "rows columns"], count: int, *, overwrite: bool = False) -> RankedRows:
    """For each row, the `count` other rows with the highest cosine similarity; ties go to the lower row.

    A row of zeros has no neighbors; values that are not finite count as 0. Above 2,048 rows, single precision selects a
    few candidates more than requested, whose cosines are computed again in double precision. Where dozens of rows are
    equally similar, another order of rounding may select others.

    Args:
      matrix: the rows to compare, such as `expanded_weights`.
      count: neighbors per row.
      overwrite: whether the matrix may be overwritten, which saves a copy.

    >>> found = cosine_neighbors(np.array([[1.0, 0.0], [0.0, 0.0], [3.0, 4.0]]), 2)
    >>> [found.row(index) for index in range(3)]
    [[(2, 0.6)], [], [(0, 0.6)]]
    """
    dtype = np.float64 if len(matrix) <= DENSE_ROWS else np.float32
    directions = matrix if overwrite and matrix.dtype == dtype else np.empty(matrix.shape, dtype)
    nonzero = np.zeros(len(matrix), bool)
    for rows in row_blocks(len(matrix), 16 * max(matrix.shape[1], 1)):
        known = np.where(np.isfinite(matrix[rows]), matrix[rows], 0).astype(np.float64)
        norms = np.linalg.norm(known, axis=1, keepdims=True)
        directions[rows], nonzero[rows] = known / np.where(norms > 0, norms, 1), norms[:, 0] > 0
    if len(directions) <= DENSE_ROWS:
        return _dense(directions, nonzero, count)
    return _rescored(directions, _candidates(directions, nonzero, count + SPARE), count)


def _dense(directions: Float[np.ndarray, "rows columns"], nonzero: Bool[np.ndarray, " rows"], count: int) -> RankedRows:
    """All cosines, sorted."""
    # Rounded, so that equal rows are equally similar on every machine.
    cosines = np.round(np.clip(directions @ directions.T, -1, 1), 6)
    cosines[~nonzero], cosines[:, ~nonzero] = -np.inf, -np.inf
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    values = np.take_along_axis(cosines, order, 1)
    return RankedRows(np.where(np.isfinite(values), order, -1).astype(np.int32), values)


def _candidates(
    directions: Float[np.ndarray, "rows columns"], nonzero: Bool[np.ndarray, " rows"], count: int
) -> Int[np.ndarray, "rows count"]:
    """About the `count` most similar rows of each row, ascending, -1 where there are fewer.

    Each block of cosines serves the rows on both of its sides. Only cosines above the lowest candidate so far matter,
    which soon are very few.
    """
    best = np.full((len(directions), count), -np.inf, np.float32)
    indices = np.full((len(directions), count), -1, np.int32)
    blocks = list(row_blocks(len(directions), BLOCK // SIDE))
    for position, rows in enumerate(blocks):
        for others in blocks[position:]:
            cosines = directions[rows] @ directions[others].T
            cosines[~nonzero[rows]], cosines[:, ~nonzero[others]] = -np.inf, -np.inf
            if others is rows:
                np.fill_diagonal(cosines, -np.inf)
            else:
                _update(best[others], indices[others], np.ascontiguousarray(cosines.T), rows.start)
            _update(best[rows], indices[rows], cosines, others.start)
    return np.sort(indices, axis=1)


def _update(
    best: Float[np.ndarray, "rows count"],
    indices: Int[np.ndarray, "rows count"],
    cosines: Float[np.ndarray, "rows others"],
    first: int,
) -> None:
    """Puts the cosines with rows from `first` on that exceed the lowest candidate into `best` and `indices`."""
    count = best.shape[1]
    row, other = np.nonzero(cosines > best.min(1, keepdims=True))
    if not len(row):
        return
    added = np.bincount(row, minlength=len(best))
    column = count + np.arange(len(row)) - (np.cumsum(added) - added)[row]
    values = np.full((len(best), count + added.max()), -np.inf, np.float32)
    chosen = np.full(values.shape, -1, np.int32)
    values[:, :count], chosen[:, :count] = best, indices
    values[row, column], chosen[row, column] = cosines[row, other], first + other
    highest = np.argpartition(values, -count, axis=1)[:, -count:]
    best[:], indices[:] = np.take_along_axis(values, highest, 1), np.take_along_axis(chosen, highest, 1)


def _rescored(
    directions: Float[np.ndarray, "rows columns"], candidates: Int[np.ndarray, "rows candidates"], count: int
) -> RankedRows:
    """The `count` most similar of the candidates, by cosines in double precision."""
    columns = np.full((len(directions), count), -1, np.int32)
    values = np.full((len(directions), count), -np.inf)
    for rows in row_blocks(len(directions), 16 * candidates.shape[1] * directions.shape[1]):
        others = directions[candidates[rows]].astype(np.float64)
        cosines = np.matmul(others, directions[rows].astype(np.float64)[..., None])[..., 0]
        cosines = np.where(candidates[rows] < 0, -np.inf, np.round(np.clip(cosines, -1, 1), 6))
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        columns[rows] = np.take_along_axis(candidates[rows], order, 1)
        values[rows] = np.take_along_axis(cosines, order, 1)
    return RankedRows(columns, values)
