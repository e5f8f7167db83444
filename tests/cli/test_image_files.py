"""The image that a command starts from: photographs, and arrays of any number of bands."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from featviz.cli.image_files import read_image
from featviz.cli.options.keep_option import parse_channels
from featviz.errors import FeatvizError

FLOATS = arrays.arrays(
    st.sampled_from([np.float32, np.float64]),
    arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6),
    elements=st.floats(0, 1, width=32),
)
WHOLE = arrays.arrays(
    st.sampled_from([np.uint8, np.uint16]), arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
)


@given(array=FLOATS | WHOLE)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_an_array_keeps_its_precision(array, tmp_path_factory):
    file = tmp_path_factory.mktemp("image") / "scene.npy"
    np.save(file, array)
    top = 1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max
    expected = (array.astype(np.float64) / top).astype(np.float32)
    np.testing.assert_allclose(read_image(file, array.shape[-1]), expected, rtol=0, atol=6e-8)


def test_a_tiff_has_its_bands(tmp_path):
    pages = [Image.fromarray(np.full((8, 12), 40 * index, np.uint8)) for index in range(5)]
    pages[0].save(tmp_path / "scene.tif", save_all=True, append_images=pages[1:])
    image = read_image(tmp_path / "scene.tif", 5, longer_side=6)
    assert image.shape == (4, 6, 5)
    np.testing.assert_allclose(image[0, 0], np.arange(5) * 40 / 255, atol=1e-6)


def test_a_photograph_is_resized_as_pillow_does_it(tmp_path):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    photo.save(tmp_path / "photo.png")
    expected = np.asarray(photo.resize((30, 20), Image.Resampling.LANCZOS)) / np.float32(255)
    np.testing.assert_array_equal(read_image(tmp_path / "photo.png", 3, longer_side=30), expected)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "--start: `scene.npy` does not exist; expected an image file"),
        (np.zeros((4, 4, 3), np.float32), "--start: `scene.npy` cannot be read: it has 3 bands; expected 5"),
        (np.full((4, 4, 5), 7.0), "expected floats in [0,1]"),
        (b"torn", "--start: `scene.npy` cannot be read: "),
    ],
)
def test_what_is_no_such_array_is_named(data, said, tmp_path):
    file = tmp_path / "scene.npy"
    if isinstance(data, np.ndarray):
        buffer = io.BytesIO()
        np.save(buffer, data)
        data = buffer.getvalue()
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(FeatvizError) as error:
        read_image(file, 5, option="--start")
    assert said in str(error.value) and "\n" not in str(error.value)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(channels=st.lists(st.integers(0, 99), min_size=1))
def test_channels_are_listed(channels):
    assert parse_channels(",".join(map(str, channels))) == tuple(channels)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(first=st.integers(0, 50), count=st.integers(1, 9))
def test_channels_are_a_range(first, count):
    assert parse_channels(f"{first}-{first + count - 1}") == tuple(range(first, first + count))


@pytest.mark.parametrize("text", ["", "a", "3,", "-1", "4-2", "1.5", "0-99999999", "٣"])
def test_what_lists_no_channels_is_refused(text):
    with pytest.raises(FeatvizError, match="--keep-channels is `.*`; expected channels"):
        parse_channels(text)
