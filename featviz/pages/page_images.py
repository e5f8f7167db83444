"""Images on pages: WebP files, and what a template shows of a picture or of a link to another unit."""

import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import UInt8

from featviz.pages import addresses
from featviz.pages.records import PictureRecord
from featviz.pages.site_files import FileExists

if TYPE_CHECKING:
    from PIL.Image import Image

# Indistinguishable from the original by eye, a millisecond a picture, a fifth of a lossless file's size.
QUALITY = 92


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


def unit_thumbnail(layer: str, unit: int, *, address: str, file_exists: FileExists) -> UnitThumbnail:
    """A unit's picture as the page at `address` shows it."""
    picture = addresses.main_picture(layer, unit)
    if not file_exists(picture):
        return UnitThumbnail(layer, unit, None, None)
    page = addresses.unit_page(layer, unit)
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
