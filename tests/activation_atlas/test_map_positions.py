"""Positions of a map: in the order of their photographs, without tokens of high norm, from zero or from the mean."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import featviz as fv
from featviz.activation_atlas.map_positions import MapPositions, high_norms, sample_positions
from featviz.surveys.photos import find_photos

PHOTOS = np.random.default_rng(0).integers(0, 256, (23, 16, 16, 3), np.uint8)


def sample(model, photos, folder, **options):
    settings = {"per_photo": 3, "seed": 0, "tokens": False, "progress": False, **options}
    return sample_positions(model, "conv1/relu", find_photos(list(photos)), folder, **settings)


def test_values_are_the_layers_at_the_positions_that_are_said(tiny, tmp_path):
    found = sample(tiny, PHOTOS, tmp_path / "a")
    assert len(found.photo) == 3 * 23 and (np.diff(found.photo) >= 0).all() and found.left_out == 0
    for index in (0, 9, 22):
        whole = fv.observe(tiny, PHOTOS[index].astype(np.float32) / 255, "conv1/relu").reshape(-1, 80)
        rows = found.photo == index
        assert len(set(found.position[rows])) == 3
        np.testing.assert_allclose(found.values[rows], whole[found.position[rows]], atol=1e-5)
    assert not found.signed and (found.center == 0).all()
    again = sample(tiny, PHOTOS, tmp_path / "a")
    np.testing.assert_array_equal(again.values, found.values)


def test_tokens_of_high_norm_are_left_out_and_counted(tiny, tmp_path):
    plain = sample(tiny, PHOTOS, tmp_path / "a", per_photo=64)
    expected = int(high_norms(plain.values).sum())
    found = sample(tiny, PHOTOS, tmp_path / "a", per_photo=64, tokens=True)
    assert found.left_out == expected and len(found.values) == len(plain.values) - expected


@given(st.integers(0, 2**16), st.integers(1, 9))
def test_high_norms_are_above_five_medians(seed, count):
    values = np.random.default_rng(seed).normal(size=(21, 4))
    values[:count] *= 100
    lengths = np.linalg.norm(values, axis=1)
    assert high_norms(values).tolist() == (lengths > 5 * np.median(lengths)).tolist()


def test_signed_activations_are_meant_from_their_mean():
    values = np.array([[1.0, -3.0], [3.0, 1.0]], np.float32)
    where = np.zeros(2, np.int32)
    signed = MapPositions(values, where, where, 0, 0)
    assert signed.signed and signed.center.tolist() == [2.0, -1.0]
    assert MapPositions(np.abs(values), where, where, 0, 0).center.tolist() == [0.0, 0.0]
