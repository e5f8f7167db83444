"""The sampler draws from a distribution whose denoiser is known: normal pixels."""

import jax
import numpy as np
import pytest

from featviz.priors.sampling import noise_levels, sample_images


def test_normal_pixels_are_drawn_with_their_mean_and_deviation():
    mean, deviation = 0.4, 0.1

    @jax.jit
    def denoiser(images, sigma):
        return mean + deviation**2 / (deviation**2 + sigma[:, None, None, None] ** 2) * (images - mean)

    images = np.asarray(sample_images(jax.random.key(0), denoiser, (4, 16, 16, 3), mean=mean))
    assert images.mean() == pytest.approx(mean, abs=0.01)
    assert images.std() == pytest.approx(deviation, rel=0.05)


def test_levels_fall():
    levels = noise_levels(40)
    assert len(levels) == 40 and (np.diff(levels) < 0).all() and levels[-1] == pytest.approx(0.01)
