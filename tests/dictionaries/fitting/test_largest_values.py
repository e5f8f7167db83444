"""The k-th largest value, against sorting."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from featviz.dictionaries.fitting.largest_values import keep_largest_values, kth_largest

VALUES = arrays(np.float32, (4, 7), elements=st.floats(0, 2.0**99, width=32))


@settings(max_examples=30, deadline=None)
@given(VALUES, st.integers(1, 28))
def test_of_all_values(values, count):
    assert float(kth_largest(jnp.asarray(values), count, rows=False)) == np.sort(values.ravel())[-count]


@settings(max_examples=30, deadline=None)
@given(VALUES, st.integers(1, 7))
def test_of_each_row(values, count):
    found = np.asarray(kth_largest(jnp.asarray(values), count, rows=True))
    assert np.array_equal(found, np.sort(values, axis=1)[:, -count])


def test_as_many_are_kept_as_asked_for():
    values = jnp.asarray(np.random.default_rng(0).random((5, 40)).astype(np.float32))
    assert (np.asarray(keep_largest_values(values, 3, rows=True)) > 0).sum(axis=1).tolist() == [3] * 5
    assert int((keep_largest_values(values, 33, rows=False) > 0).sum()) == 33


def test_too_few_positive_values_are_all_kept():
    values = jnp.array([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    assert keep_largest_values(values, 5, rows=False).tolist() == values.tolist()


@partial(jax.jit, static_argnums=1)
def largest_of_all(values, count):
    return keep_largest_values(values, count, rows=False), kth_largest(values, count, rows=False)


def counted(values, count):
    """What is kept of all values, against those that reach the `count`-th largest."""
    kept, found = largest_of_all(jnp.asarray(values), count)
    least = np.sort(values.ravel())[-count]
    np.testing.assert_array_equal(np.asarray(kept), np.where(values >= least, values, 0))
    assert float(found) == least


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.1, 1.0, 20.0]),
    st.sampled_from([1, 70, 1100, 2399, 2400]),
    st.sampled_from([None, 3, 1]),
)
def test_of_many_values_of_any_spread(seed, spread, count, digits):
    generator = np.random.default_rng(seed)
    # Rows and latents of different sizes, many zeros, and equal values where they are rounded.
    values = np.exp(spread * generator.normal(size=(60, 1)) + generator.normal(size=(1, 40)))
    values = np.maximum(values * generator.normal(size=(60, 40)), 0)
    counted((values if digits is None else np.round(values, digits)).astype(np.float32), count)


def test_of_equal_values_all_are_kept():
    counted(np.full((60, 40), 2.0, np.float32), 70)
    counted(np.zeros((60, 40), np.float32), 70)
