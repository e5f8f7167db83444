"""Crops: photographs at all scales, taken at random places, reduced and mirrored, never beyond an image's edge."""

import jax
import numpy as np
import pytest
from PIL import Image

from featviz.errors import FeatvizError
from featviz.priors.crops import crop_source, draw_crops, read_pyramids, window_size

draw = jax.jit(draw_crops, static_argnums=(2, 3, 4), static_argnames="jitter")


def write(folder, *arrays):
    paths = []
    for index, array in enumerate(arrays):
        paths.append(folder / f"{index}.png")
        Image.fromarray(array).save(paths[-1])
    return paths


def smooth(height, width):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([255 * rows / height, 255 * columns / width, 128 + 0 * rows], axis=-1)
    return image.astype(np.uint8)


def test_a_photograph_is_there_at_every_scale(tmp_path):
    pyramids = read_pyramids(write(tmp_path, smooth(64, 100), smooth(600, 700)), 3, (16, 32))
    short = np.minimum(pyramids.heights, pyramids.widths)
    assert window_size(16) == 23
    assert short[:4].tolist() == [64, 46, 32, 23] and short[4] == 512 and short.min() == 23
    assert pyramids.values.shape == (int((pyramids.heights * pyramids.widths * 3).sum()),)
    # The first image is as the file has it, and the next begins where it ends.
    np.testing.assert_array_equal(pyramids.values[: 64 * 100 * 3].reshape(64, 100, 3), smooth(64, 100))
    assert pyramids.offsets[1] == 64 * 100 * 3


def test_a_small_photograph_gives_small_crops_only(tmp_path):
    pyramids = read_pyramids(write(tmp_path, smooth(30, 40)), 3, (16, 32))
    assert len(crop_source(pyramids, 16).heights) == 2
    with pytest.raises(FeatvizError, match=r"crops of 32 px need photographs whose short side has 46 px; .* 30 px"):
        crop_source(pyramids, 32)


def test_nothing_large_enough(tmp_path):
    with pytest.raises(FeatvizError, match="there is none"):
        crop_source(read_pyramids(write(tmp_path, smooth(9, 9)), 3, (16,)), 16)


def test_crops_are_pieces_of_photographs(tmp_path):
    # In this photograph a pixel's red and green say where it lies.
    pyramids = read_pyramids(write(tmp_path, smooth(60, 90)), 3, (16,))
    crops = np.asarray(draw(jax.random.key(0), crop_source(pyramids, 16), 64, 16, 3, jitter=False))
    assert crops.shape == (64, 16, 16, 3) and crops.min() >= 0 and crops.max() <= 1
    np.testing.assert_allclose(crops[..., 2], 128 / 255, atol=0.01)
    step = np.diff(crops[:, 4:12, :, 0], axis=1).mean((1, 2))
    # From the reduction by less than one step at 60 px to the whole photograph.
    assert step.min() > 0.9 / 60 and step.max() < 1.1 / 16 and step.max() > 2 * step.min()
    across = np.diff(crops[:, :, 4:12, 1], axis=2).mean((1, 2))
    assert (across > 0).any() and (across < 0).any() and 16 < (across < 0).sum() < 48
    corners = crops[:, 0, 0, 0]
    assert corners.min() < 0.1 and corners.max() > 0.5


def test_gray_photographs(tmp_path):
    pyramids = read_pyramids(write(tmp_path, smooth(40, 40)[..., 0]), 1, (16,))
    crops = draw(jax.random.key(0), crop_source(pyramids, 16), 4, 16, 1)
    assert crops.shape == (4, 16, 16, 1)


def test_the_key_decides(tmp_path):
    source = crop_source(read_pyramids(write(tmp_path, smooth(60, 90)), 3, (16,)), 16)
    one, same, other = (np.asarray(draw(jax.random.key(k), source, 4, 16, 3)) for k in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no image")
    with pytest.raises(FeatvizError, match="`x.jpg` cannot be read"):
        read_pyramids([tmp_path / "x.jpg"], 3, (16,))
