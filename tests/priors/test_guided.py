"""Guided sampling: one step's formula in numpy, with a denoiser of one line."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.priors import Guided
from featviz.priors.base import Moment
from featviz.priors.soft_gradient import soft_gradient

SHAPE = (2, 4, 6, 3)


@jax.tree_util.Partial
def toward_gray(key, images, sigma):
    return 0.45 + (images - 0.45) / (1 + 4 * sigma)


def halved(images):
    """Means of 2 x 2, and each enlarged linearly."""
    small = images.reshape(2, 2, 2, 3, 2, 3).mean((2, 4))
    return small, lambda x: np.asarray(jax.image.resize(x, SHAPE, "bilinear"))


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1), st.floats(0, 0.99), st.floats(0, 1), st.booleans())
def test_a_step_in_numpy(natural, progress, renewed, large):
    rng = np.random.default_rng(0)
    images, noise, gradient = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(3))
    prior = Guided(natural, renewed=renewed, side=3 if large else 90)
    key = jax.random.key(3)
    now = Moment(jnp.int32(1), jnp.float32(progress))
    estimate, direction = map(np.asarray, prior.renew(key, toward_gray, images, noise, now))
    sigma = 2.4 * (0.02 / 2.4) ** progress
    fresh = np.asarray(jax.random.normal(jax.random.split(key)[0], SHAPE))
    x = images + sigma * (np.sqrt(1 - renewed) * noise + np.sqrt(renewed) * fresh)
    if large and sigma > 0.15:
        small, enlarge = halved(x)
        wanted = enlarge(0.45 + (small - 0.45) / (1 + 4 * sigma / 2))
    else:
        wanted = 0.45 + (x - 0.45) / (1 + 4 * sigma)
    np.testing.assert_allclose(estimate, wanted, atol=5e-5)
    np.testing.assert_allclose(direction, (x - wanted) / sigma, rtol=1e-3, atol=2e-3)
    # The estimate and its noise are the noisy image.
    np.testing.assert_allclose(estimate + sigma * direction, x, atol=1e-4)
    move, carried = prior.direct(key, toward_gray, images, gradient, direction, now)
    np.testing.assert_array_equal(carried, direction)
    size = 0.096 * (1 - natural) * sigma / (sigma + 0.2)
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(move), (1, 2, 3))), size, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(move, size * np.asarray(soft_gradient(gradient)), atol=1e-5)
