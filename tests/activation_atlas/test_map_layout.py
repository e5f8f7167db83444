"""Layouts: scaled as written, PCA against numpy, UMAP seeded; what is not installed is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from featviz.activation_atlas import map_layout
from featviz.activation_atlas.map_layout import LayoutSettings, by_pca, choose_layout, lay_out, to_unit_square, turned
from featviz.errors import FeatvizError

FINITE = st.floats(-1e3, 1e3, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 30), st.just(2)), elements=FINITE))
def test_places_are_in_the_unit_square_and_in_their_order(places):
    scaled = to_unit_square(places)
    assert scaled.shape == places.shape and (scaled >= 0).all() and (scaled <= 1).all()
    for axis in (0, 1):
        order = np.argsort(places[:, axis], kind="stable")
        assert (np.diff(scaled[order, axis]) >= 0).all()


def test_an_outlier_does_not_squeeze_the_others():
    rng = np.random.default_rng(0)
    places = np.concatenate([rng.normal(size=(500, 2)), [[1e6, 0.0]]])
    assert np.ptp(to_unit_square(places)[:-1, 0]) > 0.8


def test_pca_is_that_of_the_angles():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 7)).astype(np.float32) * np.geomspace(3, 0.1, 7, dtype=np.float32)
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    left, sizes, _ = np.linalg.svd(units - units.mean(0), full_matrices=False)
    expected = left[:, :2] * sizes[:2]
    found = by_pca(values, LayoutSettings())
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
    # Longer activations lie where shorter ones of their direction lie.
    np.testing.assert_allclose(by_pca(values * 5, LayoutSettings()), found, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_activations_have_places_too(count):
    places = lay_out(np.eye(5, dtype=np.float32)[:count], layout="pca", settings=LayoutSettings())
    assert places.shape == (count, 2) and np.isfinite(places).all()


def test_a_layer_of_one_unit_lies_on_a_line():
    assert by_pca(np.arange(1.0, 6.0, dtype=np.float32)[:, None], LayoutSettings()).shape == (5, 2)


def test_a_contrast_is_from_left_to_right():
    rng = np.random.default_rng(4)
    values, contrast = rng.normal(size=(30, 6)).astype(np.float32), rng.random(30).astype(np.float32)
    places = lay_out(values, layout="pca", settings=LayoutSettings(), contrast=contrast)
    np.testing.assert_array_equal(places[:, 0], contrast)
    heights = by_pca(values, LayoutSettings())[:, 0]
    inside = (places[:, 1] > 0) & (places[:, 1] < 1)
    assert abs(np.corrcoef(places[inside, 1], heights[inside])[0, 1]) > 0.999


def test_without_umap_there_is_pca_and_umap_itself_is_refused(monkeypatch):
    monkeypatch.setattr(map_layout.importlib.util, "find_spec", lambda name: None)
    assert choose_layout(None) == "pca"
    with pytest.raises(FeatvizError, match="needs umap-learn: pip install"):
        choose_layout("umap")


def test_an_unknown_layout_is_refused_with_the_nearest():
    with pytest.raises(FeatvizError, match="`layout` is `pcs`.*`pca`"):
        choose_layout("pcs")


@pytest.mark.slow
def test_umap_keeps_clusters_apart_and_repeats_itself():
    pytest.importorskip("umap")
    rng = np.random.default_rng(2)
    centers = 10 * np.eye(3, 8, dtype=np.float32)
    values = np.concatenate([center + rng.normal(size=(30, 8)).astype(np.float32) for center in centers])
    first, again = (lay_out(values, layout="umap", settings=LayoutSettings(seed=3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    group = np.repeat(np.arange(3), 30)
    distances = np.linalg.norm(first[:, None] - first[None], axis=-1) + 10 * np.eye(90)
    assert (group[distances.argmin(1)] == group).mean() > 0.95


@given(st.integers(0, 2**16), st.floats(0, 7), st.booleans())
def test_a_turn_and_a_reflection_are_undone(seed, angle, reflected):
    rng = np.random.default_rng(seed)
    guide = rng.normal(size=(20, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * ([1, -1] if reflected else 1)
    found = turned((guide @ turn) * 3 + 5, guide)
    np.testing.assert_allclose(found, 3 * (guide - guide.mean(0)), atol=1e-4)


def test_a_layout_goes_by_that_of_another_map():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(80, 6)).astype(np.float32) * np.geomspace(3, 0.1, 6, dtype=np.float32)
    own = lay_out(values, layout="pca", settings=LayoutSettings())
    # The other map is the same, upside down and turned by a quarter.
    guide = np.stack([1 - own[:, 1], own[:, 0]], 1)
    found = lay_out(values, layout="pca", settings=LayoutSettings(), guide=guide)
    assert np.linalg.norm(found - guide, axis=1).mean() < 0.05 < np.linalg.norm(own - guide, axis=1).mean()
