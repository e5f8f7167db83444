"""The strongest of many numbers, and the rows that are most alike, of whole matrices in blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Bytes of a block's temporaries; rows on each side of a block of cosines.
BLOCK, SIDE = 1 << 26, 1024
# Up to this many rows all cosines are computed in double precision; above, only those that may be among the highest.
FEW = 2048
# How many rows more than asked for are looked at in double precision.
SPARE = 8
LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Tops:
    """Of each row its highest places, the highest first: `numbers` (rows, count), -1 where there is none, `values`."""

    numbers: np.ndarray
    values: np.ndarray

    def of(self, row: int) -> list[tuple[int, float]]:
        """A row's (number, value)."""
        pairs = zip(self.numbers[row].tolist(), self.values[row].tolist(), strict=True)
        return [(number, value) for number, value in pairs if number >= 0]


def tops(matrix: np.ndarray, count: int, *, over: np.ndarray | None = None) -> Tops:
    """Of each row the `count` values of the largest size, float32; of equal ones the first.

    What is 0 or not finite is left out. `over` divides the columns, (columns,).

    >>> tops(np.array([[0.5, -2.0, 0.0, 2.0]], np.float32), 3).of(0)
    [(1, -2.0), (3, 2.0), (0, 0.5)]
    """
    count = min(count, matrix.shape[1])
    numbers, values = np.full((len(matrix), count), -1, np.int32), np.zeros((len(matrix), count), np.float32)
    # A number's size as an integer, above its place counted down: keys that are never equal, so that a partition
    # settles equal numbers as a stable sort would.
    places = LOW - np.arange(matrix.shape[1], dtype=np.uint64)
    for part in blocks(len(matrix), 24 * max(matrix.shape[1], 1)):
        block = np.ascontiguousarray(matrix[part], np.float32)
        if over is not None:
            block = block / over
        size = np.abs(block)
        size[~np.isfinite(size)] = 0
        keys = size.view(np.uint32).astype(np.uint64) << np.uint64(32) | places
        keys = np.sort(np.partition(keys, -count, axis=1)[:, -count:] if count else keys[:, :0], axis=1)[:, ::-1]
        chosen, there = (LOW - (keys & LOW)).astype(np.int32), keys > LOW
        numbers[part] = np.where(there, chosen, -1)
        values[part] = np.where(there, np.take_along_axis(block, chosen, 1), 0)
    return Tops(numbers, values)


def strongest(row: np.ndarray, count: int) -> list[tuple[int, float]]:
    """The `count` strongest of a row of `connections`, or a column: (unit, strength relative to the strongest).

    Strengths are in [-1, 1], the strongest first; what is 0 or not finite is no connection.

    >>> strongest(np.array([0.5, -2.0, 0.0, 1.0]), 2)
    [(1, -1.0), (3, 0.5)]
    """
    known = np.where(np.isfinite(row), row, 0).astype(np.float64)
    order = np.argsort(-np.abs(known), kind="stable")[:count]
    return [(int(unit), float(known[unit] / np.abs(known).max())) for unit in order if known[unit]]


def similar(matrix: np.ndarray, count: int) -> list[list[tuple[int, float]]]:
    """For each unit the `count` others whose rows of `connections` are most like its own: (unit, cosine).

    The most alike first, of equal ones that of the lower number. A unit of no connections is like none.

    >>> similar(np.array([[1.0, 0.0], [0.0, 0.0], [3.0, 4.0]]), 2)
    [[(2, 0.6)], [], [(0, 0.6)]]
    """
    found = alike(matrix, count)
    return [found.of(unit) for unit in range(len(matrix))]


def alike(matrix: np.ndarray, count: int, *, overwrite: bool = False) -> Tops:
    """The same as arrays; with `overwrite` the matrix is overwritten, which saves a copy.

    Of more than 2,048 units single precision chooses a few more than are asked for, whose cosines are computed once
    more. Where dozens are equally alike, those of another order of rounding may be among them.
    """
    dtype = np.float64 if len(matrix) <= FEW else np.float32
    rows = matrix if overwrite and matrix.dtype == dtype else np.empty(matrix.shape, dtype)
    tied = np.zeros(len(matrix), bool)
    for part in blocks(len(matrix), 16 * max(matrix.shape[1], 1)):
        known = np.where(np.isfinite(matrix[part]), matrix[part], 0).astype(np.float64)
        norms = np.linalg.norm(known, axis=1, keepdims=True)
        rows[part], tied[part] = known / np.where(norms > 0, norms, 1), norms[:, 0] > 0
    if len(rows) <= FEW:
        return _all(rows, tied, count)
    return _settled(rows, _near(rows, tied, count + SPARE), count)


def _all(rows: np.ndarray, tied: np.ndarray, count: int) -> Tops:
    """Of few rows: all cosines, sorted."""
    # Rounded, so that equal rows are equally alike on every machine.
    cosines = np.round(np.clip(rows @ rows.T, -1, 1), 6)
    cosines[~tied], cosines[:, ~tied] = -np.inf, -np.inf
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    values = np.take_along_axis(cosines, order, 1)
    return Tops(np.where(np.isfinite(values), order, -1).astype(np.int32), values)


def _near(rows: np.ndarray, tied: np.ndarray, count: int) -> np.ndarray:
    """Of each row the numbers of the `count` most like it or so, ascending, -1 where there are fewer.

    A block of rows with a later one serves both. Of each block only what exceeds the lowest of the best so far counts,
    which soon is next to nothing.
    """
    best = np.full((len(rows), count), -np.inf, np.float32)
    numbers = np.full((len(rows), count), -1, np.int32)
    parts = list(blocks(len(rows), BLOCK // SIDE))
    for at, part in enumerate(parts):
        for other in parts[at:]:
            cosines = rows[part] @ rows[other].T
            cosines[~tied[part]], cosines[:, ~tied[other]] = -np.inf, -np.inf
            if other is part:
                np.fill_diagonal(cosines, -np.inf)
            else:
                _take(best[other], numbers[other], np.ascontiguousarray(cosines.T), part.start)
            _take(best[part], numbers[part], cosines, other.start)
    return np.sort(numbers, axis=1)


def _take(best: np.ndarray, numbers: np.ndarray, cosines: np.ndarray, first: int) -> None:
    """Takes over into `best` and `numbers` those of the cosines, of rows from `first` on, that exceed the lowest."""
    count = best.shape[1]
    at, other = np.nonzero(cosines > best.min(1, keepdims=True))
    if not len(at):
        return
    many = np.bincount(at, minlength=len(best))
    place = count + np.arange(len(at)) - (np.cumsum(many) - many)[at]
    values = np.full((len(best), count + many.max()), -np.inf, np.float32)
    chosen = np.full(values.shape, -1, np.int32)
    values[:, :count], chosen[:, :count] = best, numbers
    values[at, place], chosen[at, place] = cosines[at, other], first + other
    highest = np.argpartition(values, -count, axis=1)[:, -count:]
    best[:], numbers[:] = np.take_along_axis(values, highest, 1), np.take_along_axis(chosen, highest, 1)


def _settled(rows: np.ndarray, near: np.ndarray, count: int) -> Tops:
    """The `count` most alike of some candidates, ascending, by cosines in double precision."""
    numbers = np.full((len(rows), count), -1, np.int32)
    values = np.full((len(rows), count), -np.inf)
    for part in blocks(len(rows), 16 * near.shape[1] * rows.shape[1]):
        others = rows[near[part]].astype(np.float64)
        cosines = np.matmul(others, rows[part].astype(np.float64)[..., None])[..., 0]
        cosines = np.where(near[part] < 0, -np.inf, np.round(np.clip(cosines, -1, 1), 6))
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        numbers[part] = np.take_along_axis(near[part], order, 1)
        values[part] = np.take_along_axis(cosines, order, 1)
    return Tops(numbers, values)


def together(parts: Sequence[tuple[str, list[tuple[int, float]]]], count: int) -> list[tuple[str, int, float]]:
    """Of the tops of several layers the strongest, relative to the strongest: (layer, unit, strength).

    >>> together([("a", [(3, 2.0), (1, 1.0)]), ("b", [(0, -4.0)])], 2)
    [('b', 0, -1.0), ('a', 3, 0.5)]
    """
    every = [(layer, unit, value) for layer, some in parts for unit, value in some]
    # Sorted is stable: of equal ones the first layer's, and of these as they stood.
    chosen = sorted(every, key=lambda each: -abs(each[2]))[:count]
    return [(layer, unit, value / abs(chosen[0][2])) for layer, unit, value in chosen]


def blocks(count: int, each: int) -> Iterator[slice]:
    """Parts of `count` rows, each of about `BLOCK` bytes if a row takes `each`."""
    step = max(BLOCK // max(each, 1), 1)
    return (slice(first, min(first + step, count)) for first in range(0, count, step))
