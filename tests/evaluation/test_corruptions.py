"""The corruptions of figure E3: shapes, types, and what each does."""

import numpy as np
import pytest

from featviz.evaluation.corruptions import CORRUPTIONS, blur, jpeg, reduce_contrast, shrink

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(32, 32, 3), (31, 17, 3), (33, 20, 1), (1, 1, 3), (1, 9, 1), (8, 8, 3)])
def test_corruptions_preserve_shape_and_type(name, shape):
    image = RNG.integers(0, 256, shape, np.uint8)
    before = image.copy()
    made = CORRUPTIONS[name](image)
    assert made.shape == shape and made.dtype == np.uint8
    assert np.array_equal(image, before)
    flat = np.full(shape, 100, np.uint8)
    assert np.abs(CORRUPTIONS[name](flat).astype(int) - 100).max() <= 1


def test_corruptions_change_noise_as_they_should():
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    deviation = noise.astype(float).std()
    assert not np.array_equal(jpeg(noise), noise) and 5 < np.abs(jpeg(noise).astype(float) - noise).mean() < 80
    assert blur(noise).astype(float).std() < deviation / 2 and shrink(noise).astype(float).std() < 0.8 * deviation
    assert abs(reduce_contrast(noise).astype(float).std() / deviation - 0.7) < 0.01
    assert abs(reduce_contrast(noise).astype(float).mean() - noise.mean()) < 0.5


def test_blur_is_a_gaussian_of_one_pixel():
    dot = np.zeros((21, 21, 1), np.uint8)
    dot[10, 10] = 255
    x = np.arange(-10, 11)
    bell = np.exp(-(x**2) / 2)
    bell /= bell.sum()
    assert np.abs(blur(dot)[..., 0] - 255 * bell[:, None] * bell).max() <= 0.6
    colors = np.zeros((9, 9, 3), np.uint8)
    colors[..., 1] = 200
    assert np.array_equal(blur(colors), colors)  # not across channels
