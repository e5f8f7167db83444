"""Tiles: windows of one size over an image of any size, each with a margin around the part that it answers for."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# The strides of image networks divide it.
GRID = 32


class Tiling(NamedTuple):
    """Tiles of `side` x `side` pixels; the gradient of the outer `margin` pixels is thrown away."""

    side: int
    margin: int

    @property
    def pitch(self) -> int:
        """Pixels from one tile to the next."""
        return self.side - 2 * self.margin


class Tile(NamedTuple):
    """A tile's corner (row, column), which may lie outside the image, and the pixels that it answers for."""

    corner: tuple[int, int]
    core: tuple[slice, slice]


def place(size: tuple[int, int], tiling: Tiling, shift: tuple[int, int]) -> Iterator[Tile]:
    """Tiles whose cores are an image of `size` (height, width), each pixel once; a shift moves their borders.

    All corners differ by multiples of the pitch, so a network whose strides divide it sees all tiles in one phase.

    >>> [tile.core[1] for tile in place((3, 10), Tiling(side=10, margin=2), (0, 1))]
    [slice(0, 5, None), slice(5, 10, None)]
    """
    rows, columns = (_along(length, tiling, by) for length, by in zip(size, shift, strict=True))
    for top, tall in rows:
        for left, wide in columns:
            yield Tile((top, left), (tall, wide))


def _along(length: int, tiling: Tiling, shift: int) -> list[tuple[int, slice]]:
    count = -(-length // tiling.pitch)
    # Unshifted tiles begin at multiples of the grid, as the whole image does.
    first = -((count * tiling.pitch - length) // 2 // GRID * GRID) - shift
    # A shift of more than the pitch would leave pixels before the first tile.
    first -= tiling.pitch * max(0, -(-first // tiling.pitch))
    starts = range(first, length, tiling.pitch)
    cores = [(at, slice(max(at, 0), min(at + tiling.pitch, length))) for at in starts]
    return [(at - tiling.margin, core) for at, core in cores if core.start < core.stop]


def cut(image: np.ndarray, corner: tuple[int, int], side: int) -> np.ndarray:
    """The window of `side` x `side` pixels at a corner; beyond its edges the image goes on mirrored.

    >>> cut(np.arange(3)[None, :, None], (0, -2), 8)[0, :, 0].tolist()
    [1, 0, 0, 1, 2, 2, 1, 0]
    """
    rows, columns = (
        _mirrored(np.arange(at, at + side), length) for at, length in zip(corner, image.shape[:2], strict=True)
    )
    return image[rows[:, None], columns[None, :]]


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    index = index % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)
