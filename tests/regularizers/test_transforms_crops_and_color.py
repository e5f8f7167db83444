"""Crops, shifts of color, noise, windows and backgrounds: what they leave of an image, and that they are random."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.regularizers import (
    Background,
    ChannelNoise,
    ColorShift,
    RandomCrop,
    ShrinkingCrop,
    UniformNoise,
    Window,
    over_gray,
)

KEYS = [jax.random.key(seed) for seed in range(64)]


def ramps(height=48, width=64):
    """Its first channel is the row, its second the column, both from 0 to 1 between the image's edges."""
    rows = (jnp.arange(height, dtype=jnp.float32) + 0.5) / height
    columns = (jnp.arange(width, dtype=jnp.float32) + 0.5) / width
    return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)


def views(transform, image, progress=0.0):
    run = jax.jit(lambda key: transform(key, image, jnp.float32(progress)))
    return np.stack([np.asarray(run(key)) for key in KEYS])


def extents(seen):
    """The share of the image, and the middle, that each view shows, of (views, height, width, 2)."""
    rows, columns = seen[:, :, :, 0].mean(2), seen[:, :, :, 1].mean(1)
    sides = [(line[:, -1] - line[:, 0]) * line.shape[1] / (line.shape[1] - 1) for line in (rows, columns)]
    return np.stack(sides, 1), np.stack([rows.mean(1), columns.mean(1)], 1)


def test_a_random_crop_has_a_side_in_its_range_and_lies_inside():
    seen = views(RandomCrop(0.2, 0.6), ramps())
    sides, middles = extents(seen)
    assert seen.shape[1:] == (48, 64, 2)
    np.testing.assert_allclose(sides[:, 0], sides[:, 1], atol=0.02)
    assert 0.18 < sides.min() < 0.3 and 0.5 < sides.max() < 0.62
    assert (middles - sides / 2 > -0.02).all() and (middles + sides / 2 < 1.02).all()
    assert middles.std(0).min() > 0.1


def test_crops_are_resampled_to_their_own_size():
    assert RandomCrop(0.5, 0.5, output_size=20)(KEYS[0], ramps(), 0.0).shape == (20, 20, 2)
    assert ShrinkingCrop(output_size=20)(KEYS[0], ramps(), 0.0).shape == (20, 20, 2)


@pytest.mark.parametrize(("progress", "mean"), [(0.0, 0.5), (0.5, 0.275), (1.0, 0.06)])
def test_a_shrinking_crop_follows_its_schedule(progress, mean):
    sides, middles = extents(views(ShrinkingCrop(), ramps(), progress))
    assert sides.mean() == pytest.approx(mean, abs=0.03)
    assert middles.mean() == pytest.approx(0.5, abs=0.05)


def test_uniform_noise_is_within_its_bounds():
    noise = views(UniformNoise(-0.04, 0.08), jnp.zeros((9, 8, 3)))
    assert noise.min() >= -0.04 and noise.max() <= 0.08
    assert noise.mean() == pytest.approx(0.02, abs=1e-3)
    assert noise.std() == pytest.approx(0.12 / 12**0.5, rel=0.03)


def test_channel_noise_is_one_number_a_channel_and_falls_to_none():
    noise = views(ChannelNoise(0.5), jnp.zeros((9, 8, 3)))
    assert np.ptp(noise, axis=(1, 2)).max() == 0
    assert noise[:, 0, 0].std() == pytest.approx(0.5, rel=0.2)
    assert np.abs(views(ChannelNoise(0.5), jnp.zeros((9, 8, 3)), 1.0)).max() == 0


def test_a_color_shift_is_one_line_a_channel():
    image = jnp.asarray(np.random.default_rng(0).random((9, 8, 3)), jnp.float32)
    seen = views(ColorShift(), image)
    spread = seen.std((1, 2)) / np.asarray(image).std((0, 1))
    # 1 / e^U(-1, 1)
    assert np.exp(-1) * 0.99 < spread.min() < 0.6 and 1.8 < spread.max() < np.exp(1) * 1.01
    back = (seen - seen.mean((1, 2), keepdims=True)) / spread[:, None, None]
    centered = np.asarray(image) - np.asarray(image).mean((0, 1))
    np.testing.assert_allclose(back, np.broadcast_to(centered, back.shape), atol=1e-4)


def test_a_window_is_cut_out_of_the_image():
    image = ramps()
    seen = views(Window(0.5), image)
    assert seen.shape[1:] == (24, 32, 2)
    corners = {(float(view[0, 0, 0]), float(view[0, 0, 1])) for view in seen}
    assert len(corners) > 20
    for view in seen[:4]:
        row, column = (round(float(view[0, 0, axis]) * size - 0.5) for axis, size in ((0, 48), (1, 64)))
        np.testing.assert_array_equal(view, image[row : row + 24, column : column + 32])


def test_what_is_opaque_hides_the_background():
    image = jnp.concatenate([jnp.full((16, 16, 3), 0.3), jnp.ones((16, 16, 1)).at[:, 8:].set(0.0)], axis=-1)
    seen = views(Background(), image)
    np.testing.assert_allclose(seen[:, :, :8], 0.3, atol=1e-6)
    assert seen[:, :, 8:].std(0).mean() > 0.02
    gray = over_gray(image)
    np.testing.assert_allclose(gray[:, :8], 0.3)
    np.testing.assert_allclose(gray[:, 8:], 0.5)
