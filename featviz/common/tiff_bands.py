"""TIFF files of any number of bands, which Pillow does not read: 8, 16 or 32 bits, in strips or tiles.

Uncompressed files and those compressed by LZW or Deflate are read, with the predictor of differences (TIFF 6.0, and
Adobe's Technical Note 3 for Deflate). Georeferences are passed over.
"""

import os
import struct
import zlib
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from featviz.errors import FeatvizError

SUFFIXES = (".tif", ".tiff")
WIDTH, HEIGHT, BITS, COMPRESSION, OFFSETS, SAMPLES, ROWS, COUNTS = 256, 257, 258, 259, 273, 277, 278, 279
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, FORMAT = 284, 317, 322, 323, 324, 325, 339
# Size and `struct` letter of the types of tags that hold whole numbers, by their code.
INTEGERS = {1: (1, "B"), 3: (2, "H"), 4: (4, "I"), 16: (8, "Q")}
KINDS = {(1, 8): "u1", (1, 16): "u2", (2, 16): "i2", (3, 32): "f4", (3, 64): "f8"}

Tags = Mapping[int, tuple[int, ...]]


def is_tiff(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of a TIFF."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def read_tiff(path: str | os.PathLike[str]) -> Shaped[np.ndarray, "h w bands"]:
    """The pixels of a TIFF; pages of one band each and of one size become its bands.

    Raises:
      FeatvizError: if it is damaged, or compressed or stored in another way.
    """
    data = Path(path).read_bytes()
    try:
        order, pages = _read_pages(data)
        images = [_read_image(data, order, page) for page in pages]
    except FeatvizError:
        raise
    except (struct.error, KeyError, IndexError, ValueError, zlib.error) as error:
        raise FeatvizError(f"the TIFF is damaged: {type(error).__name__} {error}") from None
    alike = [image for image in images if image.shape == images[0].shape]
    # Further pages are smaller copies, unless each is a band.
    return np.concatenate(alike, -1) if images[0].shape[-1] == 1 else images[0]


def _read_pages(data: bytes) -> tuple[str, list[Tags]]:
    """The byte order, and the tags of each page."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    version = struct.unpack(f"{order}H", data[2:4])[0] if order else 0
    if order is None or version not in (42, 43):
        raise FeatvizError("it is no TIFF; expected one that begins with II or MM")
    big = version == 43
    start, number, count, entry = (8, "Q", "Q", 20) if big else (4, "I", "H", 12)
    (offset,) = struct.unpack_from(f"{order}{number}", data, start)
    pages: list[Tags] = []
    seen: set[int] = set()
    while offset and offset not in seen:
        seen.add(offset)
        (entries,) = struct.unpack_from(f"{order}{count}", data, offset)
        first = offset + struct.calcsize(count)
        pages.append(dict(filter(None, (_read_tag(data, order, first + entry * i, number) for i in range(entries)))))
        (offset,) = struct.unpack_from(f"{order}{number}", data, first + entry * entries)
    return order, pages


def _read_tag(data: bytes, order: str, position: int, number: str) -> tuple[int, tuple[int, ...]] | None:
    tag, kind, count = struct.unpack_from(f"{order}HH{number}", data, position)
    if kind not in INTEGERS:
        return None
    size, letter = INTEGERS[kind]
    place = position + 4 + struct.calcsize(number)
    if size * count > struct.calcsize(number):
        (place,) = struct.unpack_from(f"{order}{number}", data, place)
    return tag, struct.unpack_from(f"{order}{count}{letter}", data, place)


def _read_image(data: bytes, order: str, tags: Tags) -> Shaped[np.ndarray, "h w bands"]:
    """One page: each strip or tile decoded to its place."""
    width, height, bands = tags[WIDTH][0], tags[HEIGHT][0], tags.get(SAMPLES, (1,))[0]
    form = (tags.get(FORMAT, (1,))[0], tags.get(BITS, (1,))[0])
    compression, predictor = tags.get(COMPRESSION, (1,))[0], tags.get(PREDICTOR, (1,))[0]
    if form not in KINDS or len({*tags.get(BITS, (1,))}) > 1:
        raise FeatvizError(f"the TIFF has {form[1]} bits of format {form[0]}; expected 8 or 16 bits, or 32-bit floats")
    if compression not in DECODERS or predictor not in (1, 2):
        what = f"compression {compression}" if compression not in DECODERS else f"predictor {predictor}"
        raise FeatvizError(f"the TIFF has {what}; expected none, LZW or Deflate, and the predictor of differences")
    tiled = TILE_OFFSETS in tags
    wide = tags[TILE_WIDTH][0] if tiled else width
    tall = tags[TILE_HEIGHT][0] if tiled else min(tags.get(ROWS, (height,))[0], height)
    offsets, counts = (tags[TILE_OFFSETS], tags[TILE_COUNTS]) if tiled else (tags[OFFSETS], tags[COUNTS])
    apart = tags.get(PLANAR, (1,))[0] == 2 and bands > 1
    inner = 1 if apart else bands
    kind = np.dtype(order + KINDS[form])
    image = np.zeros((-(-height // tall) * tall, -(-width // wide) * wide, bands), kind)
    places = product(range(bands if apart else 1), range(0, image.shape[0], tall), range(0, image.shape[1], wide))
    for (band, top, left), offset, count in zip(places, offsets, counts, strict=True):
        values = np.frombuffer(DECODERS[compression](data[offset : offset + count]), kind)
        rows = tall if tiled else min(tall, height - top)
        part = values[: rows * wide * inner].reshape(rows, wide, inner)
        if predictor == 2:
            part = np.cumsum(part, 1, dtype=kind)
        image[top : top + rows, left : left + wide, slice(band, band + 1) if apart else slice(None)] = part
    return image[:height, :width].astype(kind.newbyteorder("="))


def _decode_lzw(data: bytes) -> bytes:
    """TIFF's LZW: codes of 9 to 12 bits, highest bit first; 256 clears the table, 257 ends it."""
    table: list[bytes] = []
    out: list[bytes] = []
    buffer = bits = 0
    width, previous = 9, b""
    for byte in data:
        buffer, bits = (buffer << 8 | byte) & 0xFFFFFF, bits + 8
        if bits < width:
            continue
        bits -= width
        code = (buffer >> bits) & ((1 << width) - 1)
        if code == 257:
            break
        if code == 256:
            table, width, previous = [bytes([value]) for value in range(256)] + [b"", b""], 9, b""
            continue
        word = table[code] if code < len(table) else previous + previous[:1]
        out.append(word)
        if previous:
            table.append(previous + word[:1])
        previous = word
        # One code early, as TIFF has it.
        width = min(12, max(9, (len(table) + 1).bit_length()))
    return b"".join(out)


DECODERS: Mapping[int, Callable[[bytes], bytes]] = {
    1: bytes, 5: _decode_lzw, 8: zlib.decompress, 32946: zlib.decompress,
}  # fmt: skip
