"""Images at half their size and back: against numpy's means and jax.image's interpolation, at any size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.priors.scales import enlarge_images, halvings, reduce_images


@pytest.mark.parametrize("times", [0, 1, 2])
def test_blocks_are_means_and_linearly_enlarged(times):
    images = np.random.default_rng(times).normal(size=(2, 16, 24, 3)).astype(np.float32)
    small, block = reduce_images(jnp.asarray(images), times), 2**times
    for row, column in ((0, 0), (1, 2)):
        own = images[:, row * block : (row + 1) * block, column * block : (column + 1) * block]
        np.testing.assert_allclose(small[:, row, column], own.mean((1, 2)), atol=1e-6)
    wanted = small
    for count in range(1, times + 1):
        shape = (2, small.shape[1] * 2**count, small.shape[2] * 2**count, 3)
        wanted = jax.image.resize(wanted, shape, "linear")
    np.testing.assert_allclose(enlarge_images(small, times, images.shape), wanted, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 19), st.integers(1, 19), st.integers(0, 3))
def test_every_size_comes_back_and_what_is_flat_stays(height, width, times):
    shape = (1, height, width, 1)
    small = reduce_images(jnp.full(shape, 0.3), times)
    assert small.shape == (1, -(-height // 2**times), -(-width // 2**times), 1)
    found = enlarge_images(small, times, shape)
    assert found.shape == shape
    np.testing.assert_allclose(found, 0.3, atol=1e-6)


def test_one_that_is_near_the_side_is_left_as_it_is():
    assert halvings((1, 120, 256, 3), 128) == 0
    assert halvings((1, 140, 256, 3), 128) == 1
    assert halvings((1, 7, 5, 3), 128) == 0
