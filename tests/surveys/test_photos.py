"""Photographs: files of a folder, decoding of every mode, cropping, and unreadable files."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from featviz.errors import FeatvizError
from featviz.surveys.photos import find_photos, prepare, read_ahead, some_photos

RNG = np.random.default_rng(0)
SIZE = (12, 16)


def decoded(image, *, size=SIZE, channels=3, **options):
    """The pixels of an image that can be read."""
    photo = prepare("photo", image, size, channels, **options)
    assert photo.pixels is not None, photo.fault
    assert photo.pixels.shape == (*size, channels) and photo.pixels.dtype == np.uint8
    return photo.pixels


def every(images, *, batch=4, **options):
    """All photos of a folder or an iterable, one list."""
    return [p for b in read_ahead(find_photos(images), SIZE, channels=3, batch=batch, **options) for p in b]


def gradient(height, width):
    """Red grows to the right, green downwards, from 0 to 255."""
    across = np.linspace(0, 255, width)[None, :] * np.ones((height, 1))
    down = np.linspace(0, 255, height)[:, None] * np.ones((1, width))
    return np.stack([across, down, across * 0], -1)


def test_nested_folders_sorted_and_only_images(tmp_path):
    for name in ("b.png", "a/z.PNG", "a/b/c.png", "notes.txt", "a.txt/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (len(name), 0, 0)).save(tmp_path / name, "PNG")
    (tmp_path / "folder.png").mkdir()
    source = find_photos(tmp_path)
    assert source.names == ("a.txt/d.png", "a/b/c.png", "a/z.PNG", "b.png")
    assert [photo.name for photo in every(tmp_path)] == list(source.names)
    assert [photo.pixels[0, 0, 0] for photo in every(tmp_path)] == [len(name) for name in source.names]
    assert [photo.name for photo in every(tmp_path, start=2)] == list(source.names[2:])


def test_some_of_a_folder_are_spread_evenly_and_of_an_iterable_the_first(tmp_path):
    for index in range(10):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{index}.png")
    assert some_photos(tmp_path, 4).names == ("0.png", "3.png", "6.png", "9.png")
    assert some_photos(tmp_path, 99).names == find_photos(tmp_path).names
    coming = iter(range(10))
    assert list(some_photos(coming, 3).images) == [0, 1, 2] and next(coming) == 3


def png_header(width, height):
    parts = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT"]
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_unreadable_files_have_a_fault_of_one_line_and_the_rest_is_read(tmp_path):
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    broken = {
        "truncated.jpg": whole[: len(whole) // 2],
        "text.jpg": b"no image\nat all",
        "empty.png": b"",
        "none.png": png_header(0, 0),
        "huge.png": png_header(200_000, 200_000),
        "header.png": png_header(40, 40),
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
    found = {photo.name: photo for photo in every(tmp_path)}
    assert {name for name, photo in found.items() if photo.pixels is None} == set(broken)
    assert found["good.jpg"].pixels.shape == (*SIZE, 3) and found["good.jpg"].fault == ""
    for name in broken:
        assert found[name].fault and found[name].fault.isprintable()
    assert "decompression bomb" in found["huge.png"].fault and "truncated" in found["truncated.jpg"].fault


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "1", "YCbCr", "I;16", "F", "PA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_image(mode, channels):
    gray = Image.fromarray(np.full((20, 30), 128, np.uint8))
    if mode == "I;16":
        image = Image.fromarray(np.full((20, 30), 128 * 257, np.uint16))
    elif mode == "F":
        image = Image.fromarray(np.full((20, 30), 128 / 255, np.float32))
    else:
        by = {"CMYK": "RGB", "YCbCr": "RGB", "PA": "P"}.get(mode, "L")
        image = gray.convert(by).convert(mode)
    assert image.mode == mode
    wanted = 128 if mode != "1" else decoded(gray.convert("1"), channels=channels)
    assert np.abs(decoded(image, channels=channels).astype(int) - wanted).max() <= 2


@pytest.mark.parametrize(
    ("name", "mode"), [("a.jpg", "CMYK"), ("a.png", "I;16"), ("b.png", "P"), ("a.gif", "P"), ("a.tif", "I;16")]
)
def test_files_of_other_modes(tmp_path, name, mode):
    tone = np.linspace(0, 255, 32).round().astype(np.uint8)[None, :] * np.ones((32, 1), np.uint8)
    made = {"I;16": lambda: Image.fromarray(tone.astype(np.uint16) * 257), "P": lambda: Image.fromarray(tone)}
    made["CMYK"] = lambda: Image.fromarray(tone).convert("RGB").convert("CMYK")
    options = {"transparency": 5} if mode == "P" else {}
    made[mode]().save(tmp_path / name, **options)
    found = decoded(tmp_path / name, size=(32, 32)).astype(int)
    assert np.abs(found - tone[..., None]).max() <= 6


def test_transparency_is_dropped_and_the_colors_are_kept(tmp_path):
    pixels = np.full((20, 20, 4), 90, np.uint8)
    pixels[..., 3] = np.arange(20) * 12
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (decoded(tmp_path / "a.png") == 90).all()


@pytest.mark.parametrize(("height", "width"), [(48, 128), (128, 48), (48, 64), (12, 16), (6, 8), (97, 131)])
def test_images_are_scaled_to_cover_and_cropped_to_the_center(height, width):
    scale = max(SIZE[0] / height, SIZE[1] / width)
    expected = []
    for count, whole in zip(SIZE, (height, width), strict=True):
        place = (whole - count / scale) / 2 + (np.arange(count) + 0.5) / scale - 0.5
        expected.append(place * 255 / (whole - 1))
    found = decoded(gradient(height, width) / 255).astype(float)
    inner = np.s_[3:-3, 3:-3]
    assert np.abs(found[..., 0] - expected[1][None, :])[inner].max() < 2
    assert np.abs(found[..., 1] - expected[0][:, None])[inner].max() < 2


def test_a_jpeg_decoded_at_a_smaller_size_is_cropped_like_the_full_one(tmp_path):
    image = Image.fromarray(gradient(480, 800).astype(np.uint8))
    image.save(tmp_path / "a.jpg", quality=95)
    assert np.abs(decoded(tmp_path / "a.jpg").astype(int) - decoded(image)).max() <= 3


def test_fine_patterns_are_antialiased():
    board = np.indices((192, 256)).sum(0) % 2 * 255
    assert np.ptp(decoded(board.astype(np.uint8)).astype(int)) <= 2


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (900, 1, 3), (5, 7), (5, 7, 1), (5, 7, 4)])
def test_any_size_and_any_number_of_channels(shape):
    assert (decoded(np.full(shape, 77, np.uint8)) == 77).all()


def test_windows_cover_the_whole_image():
    image = gradient(24, 32).astype(np.uint8)
    parts = np.stack([decoded(image, window=(3, number)) for number in range(9)]).astype(int)
    red, green = parts[:, 6, 8, 0].reshape(3, 3), parts[:, 6, 8, 1].reshape(3, 3)
    assert (np.diff(red, axis=1) > 40).all() and np.abs(np.diff(red, axis=0)).max() <= 1
    assert (np.diff(green, axis=0) > 40).all() and np.abs(np.diff(green, axis=1)).max() <= 1
    # From the first corner to the last one.
    assert parts[0, 0, 0, :2].max() <= 6 and parts[8, -1, -1, :2].min() >= 249


def test_floats_bytes_pil_images_and_paths_are_the_same_image(tmp_path):
    values = RNG.integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    images = [values, values / 255, np.float32(values) / np.float32(255), Image.fromarray(values)]
    found = every([*images, tmp_path / "a.png", str(tmp_path / "a.png")])
    assert [photo.name for photo in found] == ["000000", "000001", "000002", "000003", "a.png", "a.png"]
    assert all(np.array_equal(photo.pixels, found[0].pixels) for photo in found)


def test_arrays_that_are_not_images_are_faults():
    good = np.zeros((8, 8, 3), np.uint8)
    bad = [
        np.full((8, 8, 3), np.nan),
        np.full((8, 8, 3), 200.0),
        np.zeros((8, 8, 3), np.int64),
        np.zeros((2, 8, 8, 3)),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((8, 8, 5), np.uint8),
        None,
        b"bytes",
        "missing.png",
    ]
    found = every([good, *bad, good])
    assert [photo.pixels is None for photo in found] == [False, *[True] * len(bad), False]
    assert all(photo.fault.isprintable() and 0 < len(photo.fault) < 200 for photo in found[1:-1])
    assert "from 200.0 to 200.0; expected floats in [0,1]" in found[2].fault
    assert "int64 of shape (8, 8, 3)" in found[3].fault and "No such file" in found[-2].fault


def test_the_order_does_not_depend_on_decoding_times():
    sizes = [600 if number % 7 == 0 else 8 for number in range(70)]
    images = (np.full((size, size, 3), number, np.uint8) for number, size in enumerate(sizes))
    batches = list(read_ahead(find_photos(images), SIZE, channels=3, batch=16))
    assert [len(batch) for batch in batches] == [16, 16, 16, 16, 6]
    assert [int(photo.pixels[0, 0, 0]) for batch in batches for photo in batch] == list(range(70))


def test_few_images_are_read_ahead():
    taken = []

    def images():
        for number in range(200):
            taken.append(number)
            yield np.zeros((8, 8, 3), np.uint8)

    reader = read_ahead(find_photos(images()), SIZE, channels=3, batch=8)
    next(reader)
    assert 8 <= len(taken) <= 5 * 8
    reader.close()


def test_decoders_are_silent_and_warning_filters_are_restored(tmp_path, monkeypatch):
    for number in range(40):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / f"{number:02d}.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # PIL warns from here on, and raises from twice as many
    before = list(warnings.filters)
    found = every(tmp_path)
    assert [int(photo.pixels[0, 0, 0]) for photo in found] == list(range(40))
    assert warnings.filters == before
    with pytest.warns(RuntimeWarning, match="mine"):
        warnings.warn("mine", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (lambda folder: folder / "missing", {}, "does not exist; expected a folder of images"),
        (lambda folder: folder / "file.txt", {}, "is a file; expected a folder of images"),
        (lambda folder: folder / "empty", {}, "holds no image; expected files such as .jpg"),
        (lambda _: [], {"windows": 2}, "`windows` is 2 for images from Python"),
        (lambda _: Image.new("RGB", (4, 4)), {}, "`photos` is a Image; expected a folder, or a list of images"),
        (lambda _: 7, {}, "`photos` is a int"),
    ],
)
def test_refusals(tmp_path, make, options, says):
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FeatvizError) as error:
        find_photos(make(tmp_path), **options)
    assert says in str(error.value) and str(error.value).isprintable()


def test_a_photograph_is_rotated_as_its_exif_says(tmp_path):
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, 8:] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(wide).save(tmp_path / "turned.png", exif=exif)
    made = prepare("turned.png", tmp_path / "turned.png", (16, 8), 3).pixels
    assert np.array_equal(made[..., 0] > 100, np.arange(16)[:, None].repeat(8, 1) >= 8)
