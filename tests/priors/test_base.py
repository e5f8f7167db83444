"""Directions of size 1, whatever the size of the gradient."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.priors.base import unit


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-30, 1e30), st.integers(1, 3), st.integers(0, 100))
def test_each_image_has_a_root_mean_square_of_one(size, count, seed):
    images = (size * np.random.default_rng(seed).normal(size=(count, 4, 5, 3))).astype(np.float32)
    found = np.asarray(jax.jit(unit)(images))
    np.testing.assert_allclose(np.sqrt((found**2).mean((1, 2, 3))), 1, rtol=1e-5)
    wanted = images / np.abs(images).max((1, 2, 3), keepdims=True)
    wanted /= np.sqrt((wanted.astype(np.float64) ** 2).mean((1, 2, 3), keepdims=True))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_of_nothing_it_is_nothing():
    images = np.zeros((2, 3, 3, 1), np.float32)
    images[1, 0, 0] = 1
    found = np.asarray(unit(images))
    assert not found[0].any() and found[1].max() == 3
