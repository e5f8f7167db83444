"""Noise of power 1 / f^2 in natural colors: the formula in numpy, and its spectrum."""

import jax
import numpy as np
import pytest

from featviz.parameterizations import NaturalPixels
from featviz.parameterizations.color import COLOR_MATRIX


@pytest.mark.parametrize(("size", "channels"), [((8, 9), 3), ((16, 10), 1), ((7, 12), 5)])
def test_the_formula_in_numpy(size, channels):
    shape, key = (2, *size, channels), jax.random.key(channels)
    white = np.asarray(jax.random.normal(key, shape), np.float64)
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None]
    decay = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    smooth = np.fft.ifft2(np.fft.fft2(white, axes=(1, 2)) * decay[None, :, :, None], axes=(1, 2)).real
    colored = smooth @ COLOR_MATRIX.T if channels == 3 else smooth
    scaled = 0.46 + 0.27 * colored / np.sqrt((colored**2).mean((1, 2, 3), keepdims=True))
    found = np.asarray(jax.jit(NaturalPixels().init, static_argnums=1)(key, shape))
    np.testing.assert_allclose(found, np.clip(scaled, 0, 1), atol=1e-4)


def test_most_of_it_is_large_and_gray():
    image = np.asarray(jax.jit(NaturalPixels(sd=0.1).init, static_argnums=1)(jax.random.key(0), (8, 64, 64, 3)))
    power = (np.abs(np.fft.fft2(image, axes=(1, 2))) ** 2).mean((0, 3))
    # Four times the frequency, a sixteenth of the power.
    assert 8 < power[0, 2:5].sum() / power[0, 8:20:4].sum() < 32
    gray = image.mean(-1)
    assert gray.std() > 0.85 * image.std()
