"""Entries read in blocks of neighbors: reading a few costs as much as reading one."""

from collections.abc import Iterator, Sequence
from typing import Any

from featviz.atlas.entry_arrays import EntryArray, layout_of

# Units of a block, at least and at most, and about its bytes.
LEAST, MOST, BLOCK_BYTES = 64, 4096, 2**20


def units_at_once(array: EntryArray) -> int:
    """How many units of an array are read at once."""
    return min(max(BLOCK_BYTES // layout_of(array.base).entry_bytes, LEAST), MOST)


def read_block(array: EntryArray, units: Sequence[int]) -> list[Any]:
    """The values of neighbors, and exceptions: where not all can be read at once, halves are tried."""
    try:
        return list(array[units[0] : units[-1] + 1])
    except Exception as error:  # a decoder may raise anything
        if len(units) == 1:
            return [error]
        middle = len(units) // 2
        return [*read_block(array, units[:middle]), *read_block(array, units[middle:])]


def neighbors(units: Sequence[int], *, most: int) -> Iterator[list[int]]:
    """Ascending units as runs of neighbors, of at most `most`.

    >>> list(neighbors([0, 1, 2, 5, 6], most=2))
    [[0, 1], [2], [5, 6]]
    """
    block: list[int] = []
    for unit in units:
        if block and (unit != block[-1] + 1 or len(block) == most):
            yield block
            block = []
        block.append(unit)
    if block:
        yield block
