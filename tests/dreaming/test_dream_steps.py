"""Octaves as scipy and the notebook of 2015 make them, and gradients normalized by bands."""

import numpy as np
from scipy import ndimage

from featviz.dreaming.dream_steps import MAX_OCTAVES, count_octaves, normalize_bands, octave_sizes, shrink


def test_octaves_are_those_of_scipy_zoom():
    photo = np.random.default_rng(0).random((57, 80, 3)).astype(np.float32)
    sizes = octave_sizes((57, 80), scale=1.4, count=3)
    expected = photo
    for made in shrink(photo, sizes)[::-1]:
        np.testing.assert_allclose(made, expected, atol=1e-6)
        expected = ndimage.zoom(expected, (1 / 1.4, 1 / 1.4, 1), order=1)


def test_bands_are_scaled_to_one_size():
    gradient = np.random.default_rng(0).normal(size=(64, 80, 3)).astype(np.float32)
    gradient += 50 * np.linspace(-1, 1, 80, dtype=np.float32)[None, :, None]
    made = normalize_bands(gradient, 4)
    fine = [np.abs(each - ndimage.gaussian_filter(each, (2, 2, 0))).mean() / each.std() for each in (gradient, made)]
    assert made.shape == gradient.shape and fine[1] > 2 * fine[0]
    # Whatever the gradient's unit.
    np.testing.assert_allclose(normalize_bands(gradient * np.float32(1e-9), 4), made, rtol=1e-3, atol=1e-4)


def test_the_count_of_octaves_of_nearly_one_size_is_bounded():
    assert count_octaves((400, 400), (64, 64), scale=1.0001) == MAX_OCTAVES
