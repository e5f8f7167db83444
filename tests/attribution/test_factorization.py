"""NMF and semi-NMF: exact on planted parts, deterministic, never below what the best rank allows."""

import numpy as np
import pytest

from featviz.attribution.factorization import nmf, semi_nmf


def planted(seed, signed):
    rng = np.random.default_rng(seed)
    s = np.kron(np.eye(3), np.ones((5, 1))) * rng.uniform(0.5, 2.0, (15, 3))
    f = rng.normal(size=(3, 8)) if signed else rng.random((3, 8))
    return s @ f, s, f


# Seeds of which the parts are told apart: a factorization need not be unique.
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("signed", [False, True])
def test_planted_parts_are_found(seed, signed):
    x, s, _ = planted(seed, signed)
    found, parts = (semi_nmf if signed else nmf)(x, 3)
    assert (found >= 0).all() and (signed or (parts >= 0).all())
    assert np.linalg.norm(x - found @ parts) < 0.02 * np.linalg.norm(x)
    # Each planted part is one of those found, on its own rows.
    cosines = (s / np.linalg.norm(s, axis=0)).T @ (found / np.linalg.norm(found, axis=0))
    assert (cosines.max(1) > 0.7).all()


@pytest.mark.parametrize("factorize", [nmf, semi_nmf])
def test_the_same_comes_out_each_time_and_more_parts_fit_better(factorize):
    x = np.abs(np.random.default_rng(0).normal(size=(30, 12)))
    errors = []
    for count in (1, 3, 6):
        one, two = factorize(x, count), factorize(x, count)
        np.testing.assert_array_equal(one[0], two[0])
        errors.append(np.linalg.norm(x - one[0] @ one[1]))
    assert errors == sorted(errors, reverse=True)
    u, sizes, v = np.linalg.svd(x, full_matrices=False)
    assert errors[0] < 1.01 * np.linalg.norm(x - sizes[0] * np.outer(u[:, 0], v[0]))


def test_nothing_is_made_of_nothing():
    s, f = nmf(np.zeros((4, 5)), 2)
    assert np.isfinite(s).all() and np.abs(s @ f).max() < 1e-6
