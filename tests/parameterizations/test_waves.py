"""Frequencies of the waves of an image, and images with their waves scaled, against numpy."""

import jax.numpy as jnp
import numpy as np
import pytest

from featviz.parameterizations.waves import frequencies, scale_waves


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 10), (1, 5)])
def test_scaled_waves_in_numpy(height, width):
    rng = np.random.default_rng(0)
    image, shares = rng.normal(size=(2, height, width, 3)), rng.random((height, width // 2 + 1))
    scaled = scale_waves(jnp.asarray(image, jnp.float32), jnp.asarray(shares, jnp.float32))
    wanted = np.fft.irfft2(np.fft.rfft2(image, axes=(1, 2)) * shares[..., None], s=(height, width), axes=(1, 2))
    np.testing.assert_allclose(scaled, wanted, atol=1e-5)


def test_a_wave_has_the_frequency_that_is_said():
    rows, columns = np.indices((16, 16))
    wave = np.cos(2 * np.pi * (3 * rows + 4 * columns) / 16)
    spectrum = np.abs(np.fft.rfft2(wave))
    found = frequencies(16, 16)[np.unravel_index(spectrum.argmax(), spectrum.shape)]
    assert found == pytest.approx(5 / 16)
