"""A wall's small pictures, many to a file: a browser fetches the sheets that are in sight."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from featviz.pages.page_images import encode_image, to_image

# The longer side of a small picture, and how many stand on a sheet. Sorted by score, nearly every picture in sight
# comes from another sheet, so sheets are small: `benchmarks/atlas_wall.py` measures it.
SIDE = 96
COLUMNS = 4
PER_SHEET = COLUMNS * COLUMNS
QUALITY = 85

Thumbnails = Callable[[int], np.ndarray | None]


@dataclass(frozen=True)
class Sheet:
    """Up to 16 small pictures; `name` comes of their pixels, so a browser never keeps an old sheet for a new one."""

    name: str
    cells: np.ndarray
    cell: tuple[int, int]
    missing: tuple[int, ...]

    def encode(self) -> bytes:
        """The sheet's WebP file."""
        return encode_image(to_image(self.cells), quality=QUALITY)


@dataclass(frozen=True)
class SpriteSlot:
    """A sheet that has been written: its file's name, its cell's (width, height), the units without a picture."""

    name: str
    cell: tuple[int, int]
    missing: tuple[int, ...]


def groups(units: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The units of each sheet, in their order.

    >>> [len(some) for some in groups(range(20))]
    [16, 4]
    """
    return (tuple(units[start : start + PER_SHEET]) for start in range(0, len(units), PER_SHEET))


def make_sheet(units: Sequence[int], thumbnails: Thumbnails, *, cell: tuple[int, int] | None = None) -> Sheet:
    """The sheet of up to 16 units; their first picture sets a cell's (width, height) where it is not given."""
    found = [(unit, thumbnails(unit)) for unit in units]
    first = next((pixels for _, pixels in found if pixels is not None), None)
    if cell is None and first is not None:
        cell = cell_size(first.shape[1], first.shape[0])
    wide, tall = cell or (SIDE, SIDE)
    rows = -(-len(found) // COLUMNS)
    cells = np.zeros((rows * tall, COLUMNS * wide, 3), np.uint8)
    for at, (_, pixels) in enumerate(found):
        if pixels is not None:
            top, left = at // COLUMNS * tall, at % COLUMNS * wide
            cells[top : top + tall, left : left + wide] = small(pixels, (wide, tall))
    name = hashlib.sha256(f"{QUALITY} {cells.shape} ".encode() + cells.tobytes()).hexdigest()[:16]
    return Sheet(f"{name}.webp", cells, (wide, tall), tuple(unit for unit, pixels in found if pixels is None))


def cell_size(width: int, height: int) -> tuple[int, int]:
    """The size of a small picture of one of this size, never enlarged.

    >>> cell_size(224, 224), cell_size(64, 64), cell_size(200, 100)
    ((96, 96), (64, 64), (96, 48))
    """
    factor = min(SIDE / max(width, height), 1.0)
    return max(round(width * factor), 1), max(round(height * factor), 1)


def small(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels at another size, (height, width, 3)."""
    from PIL import Image

    image = to_image(pixels)
    return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))
