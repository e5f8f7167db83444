"""A gradient whose small shapes are made as weak as in photographs."""

import numpy as np
import pytest

from featviz.priors.soft_gradient import soft_gradient


def waves(cycles, size=128):
    """A wave of so many cycles across, of root mean square 1."""
    across = np.sqrt(2) * np.sin(2 * np.pi * cycles * np.arange(size) / size)
    return np.broadcast_to(across[None, None, :, None], (1, size, size, 1)).astype(np.float32)


@pytest.mark.parametrize(("cycles", "share"), [(2, 1.0), (4, 1.0), (8, 0.5), (32, 0.125)])
def test_a_wave_is_as_weak_as_its_frequency_is_beyond_the_corner(cycles, share):
    soft = np.asarray(soft_gradient(waves(2) + waves(cycles) if cycles != 2 else waves(2)))
    spectrum = np.abs(np.fft.rfft(soft[0, 0, :, 0]))
    assert spectrum[cycles] / spectrum[2] == pytest.approx(share, rel=1e-3)


def test_its_size_is_1_however_small_it_was_and_nothing_stays_nothing():
    gradient = np.random.default_rng(0).normal(size=(2, 9, 14, 3)).astype(np.float32)
    for size in (1e-25, 1.0, 1e20):
        soft = np.asarray(soft_gradient(np.float32(size) * gradient))
        np.testing.assert_allclose(np.sqrt((soft**2).mean((1, 2, 3))), 1, rtol=1e-4)
    assert not np.asarray(soft_gradient(0 * gradient)).any()
