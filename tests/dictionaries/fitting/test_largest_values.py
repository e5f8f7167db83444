"""The k-th largest value, against sorting."""

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
