"""The strongest entries of each row of a large matrix, found block by block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

# Bytes of a block's temporaries.
BLOCK = 1 << 26
LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class RankedRows:
    """The best columns of each row, best first: `columns` is -1 where a row has fewer, `values` are theirs."""

    columns: Int[np.ndarray, "rows count"]
    values: Float[np.ndarray, "rows count"]

    def row(self, index: int) -> list[tuple[int, float]]:
        """The (column, value) pairs of a row."""
        pairs = zip(self.columns[index].tolist(), self.values[index].tolist(), strict=True)
        return [(column, value) for column, value in pairs if column >= 0]


def strongest_per_row(
    matrix: Float[np.ndarray, "rows columns"], count: int, *, divisor: Float[np.ndarray, " columns"] | None = None
) -> RankedRows:
    """The `count` values of the largest size in each row; ties go to the lower column.

    Zeros and values that are not finite are left out.

    Args:
      matrix: any matrix; rows are read as float32.
      count: how many values per row.
      divisor: divides each column first.

    >>> strongest_per_row(np.array([[0.5, -2.0, 0.0, 2.0]], np.float32), 3).row(0)
    [(1, -2.0), (3, 2.0), (0, 0.5)]
    """
    count = min(count, matrix.shape[1])
    columns, values = np.full((len(matrix), count), -1, np.int32), np.zeros((len(matrix), count), np.float32)
    # A value's size as an integer, above its column counted down: keys that are never equal, so that a partition
    # settles ties as a stable sort would.
    tie_breaks = LOW - np.arange(matrix.shape[1], dtype=np.uint64)
    for rows in row_blocks(len(matrix), 24 * max(matrix.shape[1], 1)):
        block = np.ascontiguousarray(matrix[rows], np.float32)
        if divisor is not None:
            block = block / divisor
        size = np.abs(block)
        size[~np.isfinite(size)] = 0
        keys = size.view(np.uint32).astype(np.uint64) << np.uint64(32) | tie_breaks
        keys = np.sort(np.partition(keys, -count, axis=1)[:, -count:] if count else keys[:, :0], axis=1)[:, ::-1]
        chosen, nonzero = (LOW - (keys & LOW)).astype(np.int32), keys > LOW
        columns[rows] = np.where(nonzero, chosen, -1)
        values[rows] = np.where(nonzero, np.take_along_axis(block, chosen, 1), 0)
    return RankedRows(columns, values)


def strongest(row: Float[np.ndarray, " columns"], count: int) -> list[tuple[int, float]]:
    """The `count` strongest units of a row or a column of `expanded_weights`, relative to the strongest.

    Zeros and values that are not finite are no connections.

    Returns:
      (unit, strength in [-1, 1]), the strongest first.

    >>> strongest(np.array([0.5, -2.0, 0.0, 1.0]), 2)
    [(1, -1.0), (3, 0.5)]
    """
    known = np.where(np.isfinite(row), row, 0).astype(np.float64)
    order = np.argsort(-np.abs(known), kind="stable")[:count]
    return [(int(unit), float(known[unit] / np.abs(known).max())) for unit in order if known[unit]]


def strongest_of_layers(
    ranked: Sequence[tuple[str, list[tuple[int, float]]]], count: int
) -> list[tuple[str, int, float]]:
    """The strongest units of several layers together, relative to the strongest: (layer, unit, strength).

    >>> strongest_of_layers([("a", [(3, 2.0), (1, 1.0)]), ("b", [(0, -4.0)])], 2)
    [('b', 0, -1.0), ('a', 3, 0.5)]
    """
    links = [(layer, unit, value) for layer, units in ranked for unit, value in units]
    # The sort is stable: ties go to the earlier layer, and within a layer to the earlier unit.
    chosen = sorted(links, key=lambda link: -abs(link[2]))[:count]
    return [(layer, unit, value / abs(chosen[0][2])) for layer, unit, value in chosen]


def row_blocks(count: int, bytes_per_row: int) -> Iterator[slice]:
    """Slices of `count` rows, each of about `BLOCK` bytes."""
    step = max(BLOCK // max(bytes_per_row, 1), 1)
    return (slice(first, min(first + step, count)) for first in range(0, count, step))
