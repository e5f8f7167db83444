"""TIFFs of any number of bands, written here byte by byte, and those that Pillow writes."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from featviz.common.tiff_bands import read_tiff
from featviz.errors import FeatvizError

FORMATS = {"u": 1, "i": 2, "f": 3}


def tiff(image, *, order="<", planar=False, tile=None, rows=4, deflate=False, difference=False, big=False):
    """The bytes of a TIFF of one page."""
    height, width, bands = image.shape
    tall, wide = tile or (rows, width)
    planes = [image[..., [band]] for band in range(bands)] if planar else [image]
    parts = []
    for plane in planes:
        for top in range(0, height, tall):
            for left in range(0, width, wide):
                part = plane[top : top + tall, left : left + wide]
                if tile:
                    part = np.pad(part, ((0, tall - part.shape[0]), (0, wide - part.shape[1]), (0, 0)))
                if difference:
                    part = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
                data = part.astype(image.dtype.newbyteorder(order)).tobytes()
                parts.append(zlib.compress(data) if deflate else data)
    start, number = (16, "Q") if big else (8, "I")
    offsets = np.cumsum([start, *map(len, parts)]).tolist()
    places, counts = (324, 325) if tile else (273, 279)
    tags = {
        256: [width], 257: [height], 258: [image.dtype.itemsize * 8] * bands, 259: [8 if deflate else 1],
        277: [bands], 284: [2 if planar else 1], 317: [2 if difference else 1],
        339: [FORMATS[image.dtype.kind]] * bands,
        places: offsets[:-1], counts: [len(part) for part in parts],
    }  # fmt: skip
    tags |= {322: [wide], 323: [tall]} if tile else {278: [rows]}
    kind = {"I": 4, "Q": 16}[number]
    body, far, at = b"", b"", offsets[-1]
    far_start = at + struct.calcsize("Q" if big else "H") + len(tags) * (20 if big else 12) + struct.calcsize(number)
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{number}", *values)
        if len(values) > 1:
            place, far = struct.pack(f"{order}{number}", far_start + len(far)), far + packed
        else:
            place = packed
        body += struct.pack(f"{order}HH{number}", tag, kind, len(values)) + place
    head = (
        struct.pack(f"{order}2sHHHQ", b"II" if order == "<" else b"MM", 43, 8, 0, at)
        if big
        else struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, at)
    )
    count = struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
    return head + b"".join(parts) + count + body + struct.pack(f"{order}{number}", 0) + far


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(["u1", "u2", "f4"]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 13)),
    order=st.sampled_from("<>"),
    tile=st.sampled_from([None, (4, 4)]),
    switches=st.tuples(*[st.booleans()] * 4),
)
def test_pixels_are_those_written(kind, shape, order, tile, switches, tmp_path_factory):
    planar, deflate, difference, big = switches
    image = (np.random.default_rng(0).random(shape) * 250).astype(kind)
    path = tmp_path_factory.mktemp("tiff") / "a.tif"
    difference = difference and kind != "f4"
    path.write_bytes(
        tiff(image, order=order, planar=planar, tile=tile, deflate=deflate, difference=difference, big=big)
    )
    read = read_tiff(path)
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("difference", [False, True])
def test_pixels_are_those_that_pillow_writes(compression, difference, tmp_path):
    random = np.random.default_rng(0)
    # Long runs, and noise, so that codes of LZW have all widths.
    smooth = np.kron(random.integers(0, 255, (12, 9, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    smooth[100:180, 40:160] = random.integers(0, 255, (80, 120, 3))
    info = {"tiffinfo": {317: 2}} if difference and compression else {}
    Image.fromarray(smooth).save(tmp_path / "a.tif", compression=compression, **info)
    np.testing.assert_array_equal(read_tiff(tmp_path / "a.tif"), smooth)


def test_pages_of_one_band_are_bands_and_smaller_copies_are_passed_over(tmp_path):
    random = np.random.default_rng(0)
    bands = random.integers(0, 255, (6, 5, 7), dtype=np.uint8)
    pages = [Image.fromarray(bands[..., band]) for band in range(7)]
    small = Image.fromarray(bands[:3, :2, 0])
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=[*pages[1:], small])
    np.testing.assert_array_equal(read_tiff(tmp_path / "a.tif"), bands)


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    image = np.zeros((6, 5, 7), np.uint8)
    whole = tiff(image)
    faults = {
        b"": "no TIFF", b"PNG": "no TIFF", whole[:40]: "damaged", whole[: len(whole) - 20]: "damaged",
        whole.replace(struct.pack("<HHII", 259, 4, 1, 1), struct.pack("<HHII", 259, 4, 1, 7)): "compression 7",
    }  # fmt: skip
    for data, expected in faults.items():
        (tmp_path / "a.tif").write_bytes(data)
        with pytest.raises(FeatvizError, match=expected) as error:
            read_tiff(tmp_path / "a.tif")
        assert "\n" not in str(error.value)
    buffer = io.BytesIO()
    Image.new("1", (4, 4)).save(buffer, "TIFF", compression="group4")
    (tmp_path / "a.tif").write_bytes(buffer.getvalue())
    with pytest.raises(FeatvizError, match="1 bits"):
        read_tiff(tmp_path / "a.tif")
