"""Images of any number of bands: read, resized, shown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from featviz.common.bands import read_bands, resize_bands, shown_bands, with_channels
from featviz.errors import FeatvizError

BANDS = np.random.default_rng(0).integers(0, 255, (9, 7, 5), dtype=np.uint8)


def test_arrays_and_files_give_the_same_bytes(tmp_path):
    np.save(tmp_path / "bytes.npy", BANDS)
    np.save(tmp_path / "words.npy", BANDS.astype(np.uint16) * 257)
    np.save(tmp_path / "floats.npy", (BANDS / np.float32(255)).astype(np.float32))
    pages = [Image.fromarray(BANDS[..., band]) for band in range(5)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    for name in ("bytes.npy", "words.npy", "floats.npy", "pages.tif"):
        np.testing.assert_array_equal(read_bands(tmp_path / name), BANDS)
    np.testing.assert_array_equal(read_bands(BANDS), BANDS)


def test_bands_of_pillow_images(tmp_path):
    Image.fromarray(BANDS[..., :4]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_bands(tmp_path / "a.png"), BANDS[..., :4])
    np.testing.assert_array_equal(read_bands(Image.fromarray(BANDS[..., 0])), BANDS[..., :1])
    assert read_bands(Image.fromarray(BANDS[..., :3]).quantize(8)).shape == (9, 7, 3)


def test_other_numbers_of_bands_and_types_are_refused():
    with pytest.raises(FeatvizError, match="it has 5 bands; expected 7"):
        with_channels(BANDS, 7)
    with pytest.raises(FeatvizError, match=r"is int16 of shape \(9, 7, 5\)"):
        read_bands(BANDS.astype(np.int16))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    bands=hnp.arrays(np.uint8, st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(1, 6))),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_each_band_is_resized_as_a_gray_image(bands, size):
    resized = resize_bands(bands, size, box=(0.5, 0, bands.shape[1], bands.shape[0] - 0.5))
    for band in range(bands.shape[-1]):
        gray = Image.fromarray(bands[..., band].copy())
        box = (0.5, 0, bands.shape[1], bands.shape[0] - 0.5)
        expected = gray.resize(size[::-1], Image.Resampling.BICUBIC, box=box)
        np.testing.assert_array_equal(resized[..., band], np.asarray(expected))


def test_three_bands_are_shown():
    np.testing.assert_array_equal(shown_bands(BANDS, (3, 2, 1)), BANDS[..., [3, 2, 1]])
    np.testing.assert_array_equal(shown_bands(BANDS, ()), BANDS[..., :3])
    np.testing.assert_array_equal(shown_bands(BANDS[..., :1], (3, 2, 1)), BANDS[..., :1])
    assert shown_bands(BANDS[..., :2], ()).shape == (9, 7, 1)
