"""The monosemanticity score in linear time, against the sum over all pairs."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.evaluation import monosemanticity as module
from featviz.evaluation.monosemanticity import mean_cosine, monosemanticity


def by_pairs(column, embeddings):
    weights = (column - column.min()) / (np.ptp(column) or 1)
    directions = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    pairs = list(combinations(range(len(column)), 2))
    shares = np.array([weights[i] * weights[j] for i, j in pairs])
    cosines = np.array([directions[i] @ directions[j] for i, j in pairs])
    return (shares * cosines).sum() / shares.sum() if shares.sum() > 1e-9 else np.nan


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(1, 5), st.integers(0, 1000), st.floats(0, 0.9))
def test_it_is_the_weighted_mean_over_pairs(photos, width, seed, silent):
    rng = np.random.default_rng(seed)
    activations = (rng.normal(size=(photos, 4)) * (rng.random((photos, 4)) > silent)).astype(np.float32)
    embeddings = rng.normal(size=(photos, width)).astype(np.float32)
    found = monosemanticity(activations, embeddings)
    expected = [by_pairs(column.astype(np.float64), embeddings.astype(np.float64)) for column in activations.T]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    every = [
        np.dot(*(embeddings[k] / np.linalg.norm(embeddings[k]) for k in pair))
        for pair in combinations(range(photos), 2)
    ]
    assert mean_cosine(embeddings) == pytest.approx(np.mean(every), abs=1e-5)


def test_units_without_a_pair_have_no_score(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 5)  # one unit at a time
    embeddings = np.eye(3)
    columns = [[1, 0, 0], [2, 2, 2], [0, 0, 0], [np.nan, 1, 2], [1, 1, 0]]
    found = monosemanticity(np.array(columns, float).T, embeddings)
    assert np.isnan(found[:4]).all() and found[4] == 0
    assert np.isnan(mean_cosine(np.ones((1, 2)))) and monosemanticity(np.ones((3, 0)), embeddings).shape == (0,)
