"""The loss against numpy, and the noise levels of a batch."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.priors.training_step import LEAST, LOG_DEVIATION, LOG_MEAN, MOST, FitSettings, denoising_loss, draw_levels
from featviz.priors.unet import DenoiserConfig, init_weights


def test_the_loss_of_first_weights_is_that_of_the_linear_denoiser():
    config = DenoiserConfig(widths=(8,), embedding=8, mean=0.5, deviation=0.3)
    weights = jax.jit(init_weights, static_argnums=1)(jax.random.key(0), config)
    rng = np.random.default_rng(0)
    images, noise = rng.random((2, 8, 8, 3), np.float32), rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    sigma = np.array([0.1, 1.0], np.float32)
    losses = jax.jit(denoising_loss, static_argnums=0)(config, weights, images, noise, sigma)
    for image, own, level, loss in zip(images, noise, sigma, losses, strict=True):
        denoised = 0.5 + 0.09 / (0.09 + level**2) * (image + level * own - 0.5)
        # EDM's weight of the squared error: (sigma^2 + sigma_data^2) / (sigma sigma_data)^2.
        expected = np.mean((denoised - image) ** 2) * (level**2 + 0.09) / (level * 0.3) ** 2
        assert float(loss) == pytest.approx(expected, rel=1e-3)


def test_levels_are_log_normal_and_spread_in_each_batch():
    levels = np.stack([draw_levels(jax.random.key(k), 64) for k in range(20)])
    assert levels.min() >= LEAST and levels.max() <= MOST
    assert np.log(levels).mean() == pytest.approx(LOG_MEAN, abs=0.1)
    assert np.log(levels).std() == pytest.approx(LOG_DEVIATION, abs=0.15)
    # One from each of 64 equally likely ranges: the median hardly moves from batch to batch.
    assert np.median(levels, axis=1).std() < 0.02 and (levels.max(1) > 2).all() and (levels.min(1) < 0.03).all()


@given(st.integers(2, 1024), st.sampled_from([(64,), (64, 128), (32, 64, 96)]))
def test_each_size_has_the_same_share_of_pixels(batch, sizes):
    settings = FitSettings(sizes=sizes, batch=batch)
    share = batch * min(sizes) ** 2 / len(sizes)
    for size in sizes:
        assert settings.count(size) >= 1
        assert abs(settings.count(size) * size**2 - share) <= size**2
