"""Images on pages: WebP files, what a template shows of a picture or another unit, and sprite sheets.

A sprite sheet is one file with many small pictures, so that a browser fetches only the sheets in view.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import UInt8

from featviz.pages import addresses
from featviz.pages.records import NetworkRecord, PictureRecord
from featviz.pages.site_files import FileExists

if TYPE_CHECKING:
    from PIL.Image import Image

# Indistinguishable from the original by eye, a millisecond a picture, a fifth of a lossless file's size.
QUALITY = 92
# The longer side of a small picture, and the columns of a sheet. Sorted by score, nearly every picture in view is on
# another sheet, so sheets are small: `benchmarks/atlas_page.py` measures it.
SIDE = 96
COLUMNS = 4
PER_SHEET = COLUMNS * COLUMNS
SPRITE_QUALITY = 85

Thumbnails = Callable[[int], UInt8[np.ndarray, "h w c"] | None]


class PageImage(NamedTuple):
    """An image file beside the page: address, alternative text, and size in pixels."""

    src: str
    alt: str
    width: int
    height: int


class UnitThumbnail(NamedTuple):
    """A unit's picture that links to its page; `src` and `href` are None if there is no picture yet."""

    layer: str
    unit: int
    src: str | None
    href: str | None


def page_image(picture: PictureRecord, alt: str) -> PageImage:
    """A picture of the page's own unit."""
    height, width = picture.pixels.shape[:2]
    return PageImage(addresses.picture_name(picture.role, picture.index), alt, width, height)


def unit_thumbnail(
    network: NetworkRecord, layer: str, unit: int, *, address: str, file_exists: FileExists
) -> UnitThumbnail:
    """A unit's picture as the page at `address` shows it."""
    name = network.address_name(layer)
    picture = addresses.main_picture(name, unit)
    if not file_exists(picture):
        return UnitThumbnail(layer, unit, None, None)
    page = addresses.unit_page(name, unit)
    return UnitThumbnail(layer, unit, addresses.link(picture, address), addresses.link(page, address))


def encode_pixels(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    """The WebP file of gray or RGB pixels."""
    return encode_webp(to_pil(pixels))


def encode_webp(image: "Image", *, quality: int = QUALITY) -> bytes:
    """The WebP file of a PIL image; the same bytes for the same pixels."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def to_pil(pixels: UInt8[np.ndarray, "h w c"]) -> "Image":
    """Gray or RGB pixels as a PIL image in RGB."""
    from PIL import Image

    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    return Image.fromarray(np.ascontiguousarray(flat)).convert("RGB")


@dataclass(frozen=True)
class Sheet:
    """Up to 16 small pictures; `name` is a hash of their pixels, so a browser never shows a stale copy from its cache.

    `cell_size` is the (width, height) of a small picture, `missing` are the units without a picture.
    """

    name: str
    pixels: UInt8[np.ndarray, "h w 3"]
    cell_size: tuple[int, int]
    missing: tuple[int, ...]

    def encode(self) -> bytes:
        """The sheet's WebP file."""
        return encode_webp(to_pil(self.pixels), quality=SPRITE_QUALITY)


@dataclass(frozen=True)
class SpriteSlot:
    """A sheet that has been written: its file's name, its cells' (width, height), the units without a picture."""

    name: str
    cell_size: tuple[int, int]
    missing: tuple[int, ...]


def sheet_groups(units: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The units of each sheet, in their order.

    >>> [len(group) for group in sheet_groups(range(20))]
    [16, 4]
    """
    return (tuple(units[start : start + PER_SHEET]) for start in range(0, len(units), PER_SHEET))


def make_sheet(units: Sequence[int], thumbnails: Thumbnails, *, cell_size: tuple[int, int] | None = None) -> Sheet:
    """The sheet of up to 16 units.

    Args:
      units: the units, row by row.
      thumbnails: gives the pixels of a unit's picture, or None if there is none.
      cell_size: a small picture's (width, height); by default that of the first picture, reduced to 96 pixels.
    """
    pictures = [(unit, thumbnails(unit)) for unit in units]
    first = next((pixels for _, pixels in pictures if pixels is not None), None)
    if cell_size is None and first is not None:
        cell_size = fit_cell(first.shape[1], first.shape[0])
    width, height = cell_size or (SIDE, SIDE)
    sheet = np.zeros((-(-len(pictures) // COLUMNS) * height, COLUMNS * width, 3), np.uint8)
    for index, (_, pixels) in enumerate(pictures):
        if pixels is not None:
            top, left = index // COLUMNS * height, index % COLUMNS * width
            sheet[top : top + height, left : left + width] = resize_to(pixels, (width, height))
    name = hashlib.sha256(f"{SPRITE_QUALITY} {sheet.shape} ".encode() + sheet.tobytes()).hexdigest()[:16]
    missing = tuple(unit for unit, pixels in pictures if pixels is None)
    return Sheet(f"{name}.webp", sheet, (width, height), missing)


def fit_cell(width: int, height: int, *, side: int = SIDE) -> tuple[int, int]:
    """A small picture's size: at most 96 pixels, or `side`, on the longer side, never enlarged.

    >>> fit_cell(224, 224), fit_cell(64, 64), fit_cell(200, 100), fit_cell(200, 100, side=50)
    ((96, 96), (64, 64), (96, 48), (50, 25))
    """
    factor = min(side / max(width, height), 1.0)
    return max(round(width * factor), 1), max(round(height * factor), 1)


def resize_to(pixels: UInt8[np.ndarray, "h w c"], size: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """Pixels resized to (width, height), in RGB."""
    from PIL import Image

    image = to_pil(pixels)
    return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))
