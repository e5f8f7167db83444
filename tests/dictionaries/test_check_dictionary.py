"""Whether a dictionary fits a layer: explained variance, and which normalization would explain more."""

from dataclasses import replace

import numpy as np
import pytest
from support.drawn import drawn_patterns

from featviz.dictionaries import Dictionary, Identity, LayerNorm
from featviz.dictionaries.check_dictionary import check_dictionary, layer_activations
from featviz.dictionaries.kinds import ConceptVectors, KMeans, principal_components
from featviz.errors import FeatvizError


@pytest.fixture(scope="module")
def photos():
    return list(drawn_patterns(6))


@pytest.fixture(scope="module")
def rows(patterns, photos):
    return layer_activations(patterns, "mixed3a", photos)


def components(rows, count):
    mean = rows.mean(0)
    return principal_components(np.linalg.svd(rows - mean, full_matrices=False)[2][:count], mean)


def test_explained_variance_is_that_of_numpy(patterns, photos, rows):
    check = check_dictionary(patterns, "mixed3a", Dictionary(components(rows, 4)), photos)
    variances = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    np.testing.assert_allclose(check.report.explained_variance, variances[:4].sum() / variances.sum(), rtol=1e-3)
    assert check.report.positions == len(rows)
    assert check.faults == () or "with the normalization" in check.faults[0]


def test_a_wrong_normalization_is_said_and_the_right_one_named(patterns, photos, rows):
    normalized = np.asarray(LayerNorm().apply(rows))
    fitted = Dictionary(KMeans(centers=normalized[::4]), LayerNorm())
    assert check_dictionary(patterns, "mixed3a", fitted, photos).faults == ()
    wrong = check_dictionary(patterns, "mixed3a", replace(fitted, normalization=Identity()), photos)
    assert wrong.report.explained_variance < 0
    assert "is below 0, worse than the mean activation: mixed3a is not the layer" in wrong.faults[0]
    assert "with the normalization layer_norm the explained variance is 0." in wrong.faults[1]


def test_a_probe_is_not_accused(patterns, photos):
    vectors = np.random.default_rng(0).normal(size=(1, 48)).astype(np.float32)
    probe = Dictionary(ConceptVectors(vectors=vectors, bias=np.full(1, 99, np.float32)))
    check = check_dictionary(patterns, "mixed3a", probe, photos)
    assert check.report.explained_variance < 0 and check.faults == ()


def test_what_cannot_be_measured_is_refused(patterns, photos, tmp_path):
    probe = Dictionary(ConceptVectors(vectors=np.eye(2, 20, dtype=np.float32), bias=np.zeros(2, np.float32)))
    with pytest.raises(FeatvizError, match="the dictionary takes 20 units; mixed3a of patterns has 48"):
        check_dictionary(patterns, "mixed3a", probe, photos)
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(FeatvizError, match="`photos` hold no image that can be read"):
        check_dictionary(patterns, "conv1", probe, tmp_path)
