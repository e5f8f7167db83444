"""Spherical k-means: groups that are there are found, and what it promises of any rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.surveys.clusters import cluster


def rows_of(seed, count, features):
    rows = np.random.default_rng(seed).normal(size=(count, features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_separate_groups_are_found_the_largest_first():
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1, 2], [5, 11, 8])
    rows = np.eye(3, 16)[truth] + 0.1 * rng.normal(size=(24, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    order = rng.permutation(24)
    found = cluster(rows[order], 3)
    assert [set(truth[order][found == group]) for group in range(3)] == [{1}, {2}, {0}]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 8), st.data())
def test_every_group_has_rows_and_sizes_fall(seed, count, features, data):
    groups = data.draw(st.integers(1, count))
    rows = rows_of(seed, count, features)
    if data.draw(st.booleans()):
        rows = np.repeat(rows[:1], count, axis=0)
    labels = cluster(rows, groups)
    sizes = np.bincount(labels, minlength=groups)
    assert labels.shape == (count,) and (sizes >= 1).all() and (np.diff(sizes) <= 0).all()
    np.testing.assert_array_equal(cluster(rows, groups), labels)
