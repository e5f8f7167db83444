"""Whitened directions: against the inverse, finite for silent units, the mean itself where nothing is correlated."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featviz.activation_atlas.whitening import RIDGE, measure_moments, whitened_directions


@given(st.integers(0, 2**16), st.booleans())
def test_it_is_the_mean_times_the_inverse_of_the_second_moments(seed, signed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 2
    center = values.mean(0) if signed else np.zeros(5)
    means = values[:3]
    moments = (values - center).T @ (values - center) / 40
    expected = (means - center) @ np.linalg.inv(moments + RIDGE * np.trace(moments) / 5 * np.eye(5))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(whitened_directions(means, measure_moments(values, center)), expected, atol=1e-5)


def test_silent_units_stay_finite_and_have_no_part():
    values = np.zeros((30, 4), np.float32)
    values[:, :2] = np.random.default_rng(0).random((30, 2))
    found = whitened_directions(values[:2], measure_moments(values, np.zeros(4)))
    assert np.isfinite(found).all() and (found[:, 2:] == 0).all()
    assert np.isfinite(whitened_directions(values[:2] * 0, measure_moments(values * 0, np.zeros(4)))).all()


def test_of_uncorrelated_units_it_is_the_mean():
    values = np.concatenate([np.eye(4), -np.eye(4)]) * 2
    means = np.array([[3.0, 0.0, 4.0, 0.0]])
    np.testing.assert_allclose(
        whitened_directions(means, measure_moments(values, np.zeros(4))), [[0.6, 0, 0.8, 0]], atol=1e-6
    )


def test_what_all_activations_share_is_taken_away():
    rng = np.random.default_rng(1)
    values = np.abs(rng.normal(size=(500, 6))) * 0.3
    values[:, 0] += 10
    found = whitened_directions(values[values[:, 3] > 0.6].mean(0, keepdims=True), measure_moments(values, np.zeros(6)))
    assert np.abs(found[0]).argmax() == 3
