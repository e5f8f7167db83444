"""Guided sampling: one step's formula in numpy, with a denoiser of one line."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.priors import Guided

SHAPE = (2, 4, 5, 3)


def toward_gray(key, images, sigma):
    return 0.45 + (images - 0.45) / (1 + 4 * sigma)


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1), st.floats(0, 0.99), st.floats(0, 1))
def test_a_step_in_numpy(natural, progress, renewed):
    rng = np.random.default_rng(0)
    images, noise, gradient = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(3))
    prior = Guided(natural, renewed=renewed)
    key = jax.random.key(3)
    estimate, direction = map(np.asarray, prior.renew(key, toward_gray, images, noise, np.float32(progress)))
    sigma = 1.2 * (0.02 / 1.2) ** progress
    fresh = np.asarray(jax.random.normal(jax.random.split(key)[0], SHAPE))
    x = images + sigma * (np.sqrt(1 - renewed) * noise + np.sqrt(renewed) * fresh)
    wanted = 0.45 + (x - 0.45) / (1 + 4 * sigma)
    np.testing.assert_allclose(estimate, wanted, atol=2e-5)
    np.testing.assert_allclose(direction, (x - wanted) / sigma, rtol=1e-3, atol=1e-3)
    # The estimate and its noise are the noisy image.
    np.testing.assert_allclose(estimate + sigma * direction, x, atol=1e-4)
    move = prior.direct(key, toward_gray, images, gradient, np.float32(progress))
    size = np.sqrt((gradient**2).mean((1, 2, 3), keepdims=True))
    np.testing.assert_allclose(move, 0.12 * (1 - natural) * sigma / (sigma + 0.2) * gradient / size, atol=1e-5)
