"""The map of latents: each in a cell of its own, near where its direction belongs; UMAP where it is installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.dictionaries import latent_map as module
from featviz.dictionaries.latent_map import first_components, lay_out, nearest, settle


@pytest.fixture
def no_umap(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)


def clusters(groups=4, size=20, units=12):
    rng = np.random.default_rng(0)
    centers = np.linalg.qr(rng.normal(size=(units, groups)))[0].T
    return (np.repeat(centers, size, axis=0) + 0.02 * rng.normal(size=(groups * size, units))).astype(np.float32)


@given(st.integers(1, 60), st.integers(3, 6), st.integers(0, 5), st.booleans())
def test_every_point_has_a_cell_of_its_own(count, log_side, seed, crowded):
    side = 1 << log_side
    count = min(count, side * side)
    places = np.random.default_rng(seed).random((count, 2)) * (0.01 if crowded else 1.0)
    points = settle(places, side)
    cells = points // 16
    assert len(np.unique(cells, axis=0)) == count
    assert points.min() >= 0 and points.max() < 16 * side
    # The first of each cell stays.
    assert np.abs(points[0] / 16 - places[0] * side).max() <= 1 / 16


def test_a_full_grid_is_filled():
    assert len(np.unique(settle(np.full((64, 2), 0.5), 8) // 16, axis=0)) == 64


def test_components_against_numpy():
    rows = np.random.default_rng(0).normal(size=(30, 5)) * [5, 3, 1, 1, 1]
    centered = rows - rows.mean(0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    np.testing.assert_allclose(np.abs(first_components(rows)), np.abs(centered @ axes[:2].T), atol=1e-8)
    assert first_components(np.ones((3, 1))).tolist() == [[0, 0]] * 3


def test_without_umap_it_is_pca_and_says_so(no_umap):
    made = lay_out(clusters())
    assert made.method == "PCA" and made.side == 64 and len(made.points) == 80
    twice = lay_out(clusters() * np.linspace(1, 9, 80)[:, None])
    np.testing.assert_array_equal(made.points, twice.points)


def test_dead_and_broken_rows_are_on_the_map_too(no_umap):
    rows = clusters()
    rows[3], rows[5, 2] = 0, np.nan
    assert len(np.unique(lay_out(rows).points // 16, axis=0)) == 80
    assert lay_out(np.zeros((1, 4))).points.shape == (1, 2)


def test_the_nearest_rows_are_those_of_all_cosines(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)
    rows = np.random.default_rng(0).normal(size=(40, 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[5] = 0
    found, distances = nearest(rows, 9)
    expected = 1 - np.sort(rows @ rows.T - 2 * np.eye(40), axis=1)[:, :-9:-1]
    assert (found[:, 0] == np.arange(40)).all() and not distances[:, 0].any()
    np.testing.assert_allclose(distances[:, 1:], np.clip(expected, 0, None), atol=1e-6)
    np.testing.assert_allclose(1 - (rows[:, None] * rows[found]).sum(-1)[:, 1:], distances[:, 1:], atol=1e-6)


def test_what_umap_is_asked_for(monkeypatch):
    asked = {}

    class Umap:
        def __init__(self, **options):
            asked.update(options)

        def fit_transform(self, rows):
            asked["norms"] = np.linalg.norm(rows, axis=1)
            places = np.random.default_rng(0).random((len(rows), 2))
            places[2] = np.nan
            return places

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    made = lay_out(clusters(2, 5), seed=3)
    assert made.method == "UMAP" and (asked["metric"], asked["random_state"], asked["n_neighbors"]) == ("cosine", 3, 9)
    np.testing.assert_allclose(asked["norms"], 1, rtol=1e-5)
    # UMAP ignores neighbors that are given for few rows unless it is told to approximate.
    assert asked["force_approximation_algorithm"] is True and asked["precomputed_knn"][0].shape == (10, 9)
    # Too few for neighborhoods.
    assert lay_out(np.eye(4)).method == "PCA"


@pytest.mark.slow
def test_umap_itself_keeps_groups_together():
    pytest.importorskip("umap", reason="umap-learn is not installed")
    made = lay_out(clusters())
    groups = made.points.reshape(4, 20, 2)
    within = np.linalg.norm(groups - groups.mean(1, keepdims=True), axis=-1).max()
    middles = groups.mean(1)
    between = np.linalg.norm(middles[:, None] - middles[None], axis=-1)[~np.eye(4, dtype=bool)].min()
    assert made.method == "UMAP" and within < between
