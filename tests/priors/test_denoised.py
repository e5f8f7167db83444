"""Regularization by denoising: one step's formula in numpy, with a denoiser of one line."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.priors import Denoised
from featviz.priors.kept_noise import kept_noise

SHAPE = (2, 4, 5, 3)


def toward_gray(key, images, sigma):
    return 0.45 + (images - 0.45) / (1 + 4 * sigma)


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_step_in_numpy(natural, progress):
    rng = np.random.default_rng(0)
    images, gradient = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(2))
    key = jax.random.key(3)
    found = Denoised(natural).direct(key, toward_gray, images, gradient, np.float32(progress))
    noise_key, _, level_key = jax.random.split(key, 3)
    highest = 1.0 * (0.2 / 1.0) ** progress
    sigma = highest * (0.05 / highest) ** float(jax.random.uniform(level_key))
    assert 0.05 <= sigma <= highest
    noisy = images + sigma * np.asarray(jax.random.normal(noise_key, SHAPE))
    step = (0.45 + (noisy - 0.45) / (1 + 4 * sigma) - images) / sigma
    step -= np.asarray(kept_noise(jax.random.normal(noise_key, SHAPE), sigma))
    step += 0.48 - step.mean((1, 2, 3), keepdims=True) - images.mean((1, 2, 3), keepdims=True)
    unit = gradient / np.sqrt((gradient**2).mean((1, 2, 3), keepdims=True))
    np.testing.assert_allclose(found, (1 - natural) * unit + natural * step, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_the_balance_does_not_depend_on_how_steep_the_objective_is(scale):
    rng = np.random.default_rng(1)
    images, gradient = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(2))
    one, other = (
        Denoised(0.4).direct(jax.random.key(0), toward_gray, images, np.float32(by) * gradient, np.float32(0.5))
        for by in (1, scale)
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_of_a_large_picture_the_denoiser_sees_half_the_size():
    shapes = []

    def seen(key, images, sigma):
        shapes.append(images.shape)
        return images

    images = np.random.default_rng(2).normal(size=(1, 13, 11, 3)).astype(np.float32)
    found = Denoised(0.3, side=7).direct(jax.random.key(0), seen, images, images, np.float32(0.5))
    assert shapes == [(1, 7, 6, 3)]
    assert found.shape == images.shape
    # A denoiser that takes nothing away leaves the noise, less what is known to be left of it.
    other = Denoised(0.3, side=13).direct(jax.random.key(0), seen, images, images, np.float32(0.5))
    assert shapes[1] == (1, 13, 11, 3) and not np.allclose(found, other)
