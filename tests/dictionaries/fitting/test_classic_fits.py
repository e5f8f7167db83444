"""PCA against numpy, the others against what scikit-learn makes of the same activations."""

import sys

import numpy as np
import pytest
from support.planted_dictionaries import make_store, planted
from support.surveys import refused

from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.fitting.classic_fits import CLASSIC
from featviz.dictionaries.fitting.fit_report import report_fit

DIRECTIONS, VALUES = planted(4000, units=8, features=8)


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "a", VALUES)


@pytest.fixture
def positive_store(tmp_path):
    return make_store(tmp_path / "p", np.abs(VALUES))


def test_pca_is_the_singular_value_decomposition(store):
    code = CLASSIC["pca"].fit(store, 3, 0)
    x = VALUES.astype(np.float64)
    _, values, rows = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    cosines = np.abs((np.asarray(code.decoder) * rows[:3]).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, rtol=1e-5)
    report = report_fit(Dictionary(code), store)
    assert report.explained_variance == pytest.approx((values[:3] ** 2).sum() / (values**2).sum(), abs=1e-4)
    np.testing.assert_allclose(code.mean, x.mean(axis=0), rtol=1e-5)


def test_nmf_is_that_of_scikit_learn_with_its_own_tolerance(positive_store):
    decomposition = pytest.importorskip("sklearn.decomposition")
    code = CLASSIC["nmf"].fit(positive_store, 4, 0)
    fitted = decomposition.NMF(4, init="nndsvda", random_state=0).fit(np.abs(VALUES))
    np.testing.assert_allclose(code.components, fitted.components_, rtol=1e-5)
    expected = fitted.transform(np.abs(VALUES[:50]))
    np.testing.assert_allclose(code.encode(np.abs(VALUES[:50])), expected, atol=0.02 * expected.max())


def test_nmf_takes_no_negative_values(store):
    pytest.importorskip("sklearn.decomposition")
    refused("expected such a layer", CLASSIC["nmf"].fit, store, 4, 0)


def test_ica_finds_planted_directions(tmp_path):
    pytest.importorskip("sklearn.decomposition")
    # Weights that are rarely not zero are far from Gaussian.
    directions, values = planted(4000, units=8, features=8, firing=0.8)
    code = CLASSIC["ica"].fit(make_store(tmp_path / "s", values), 8, 0)
    rows = np.asarray(code.decoder)
    cosines = np.abs(rows / np.linalg.norm(rows, axis=1, keepdims=True) @ directions.T).max(axis=0)
    assert cosines.min() > 0.9
    np.testing.assert_allclose(code.decode(code.encode(values)), values, atol=1e-3)


def test_k_means_finds_planted_centers(tmp_path):
    pytest.importorskip("sklearn.cluster")
    rng = np.random.default_rng(0)
    centers = 10 * rng.normal(size=(5, 8))
    values = (centers[rng.integers(5, size=2000)] + 0.1 * rng.normal(size=(2000, 8))).astype(np.float32)
    code = CLASSIC["k_means"].fit(make_store(tmp_path / "c", values), 5, 1)
    distances = np.linalg.norm(np.asarray(code.centers)[:, None] - centers, axis=2)
    assert np.sort(distances.min(axis=0))[3] < 0.1


@pytest.mark.parametrize("kind", ["nmf", "ica", "k_means"])
def test_without_scikit_learn_it_says_what_to_install(store, kind, monkeypatch):
    for name in ("sklearn", "sklearn.decomposition", "sklearn.cluster"):
        monkeypatch.setitem(sys.modules, name, None)
    refused("install featviz[dictionaries]", CLASSIC[kind].fit, store, 4, 0)


def test_nmf_has_more_latents_than_units(positive_store):
    pytest.importorskip("sklearn.decomposition")
    code = CLASSIC["nmf"].fit(positive_store, 10, 0)
    assert code.components.shape == (10, 8) and (np.linalg.norm(code.components, axis=1) > 0).all()
