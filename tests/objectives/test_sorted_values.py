"""Statistics of units over positions: against numpy, at any number of positions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featviz as fv
from featviz.errors import FeatvizError
from featviz.objectives.sorted_values import resample

RNG = np.random.default_rng(0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20))
def test_each_rank_is_the_mean_over_its_share_of_others(ranks, count):
    values = np.sort(RNG.normal(size=(3, ranks)).astype(np.float32), axis=1)
    # Every rank as `count` equal ones, of which `ranks` at a time are one again.
    expected = np.repeat(values, count, axis=1).reshape(3, count, ranks).mean(2)
    np.testing.assert_allclose(resample(jnp.asarray(values), count), expected, atol=1e-5)
    assert float(resample(jnp.eye(1, 196, 195), 64)[0, -1]) == pytest.approx(64 / 196, rel=1e-5)


def test_the_value_by_hand_of_any_layout():
    h = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
    targets, importance = RNG.normal(size=(12, 5)).astype(np.float32), RNG.random(5).astype(np.float32)
    ranked = np.sort(h.reshape(2, 12, 5), axis=1)
    expected = -(importance * np.square(ranked - np.sort(targets, axis=0))).mean((1, 2))
    objective = fv.statistics("layer", targets, importance=importance)
    np.testing.assert_allclose(objective({"layer": h}), expected, rtol=1e-5)
    np.testing.assert_allclose(objective({"layer": h.reshape(2, 12, 5)}), expected, rtol=1e-5)
    np.testing.assert_allclose(objective({"layer": h[:, 0, 0]}).shape, (2,))


def test_where_a_value_is_does_not_matter_and_the_gradient_goes_to_it():
    h, targets = RNG.normal(size=(1, 6, 2)).astype(np.float32), RNG.normal(size=(6, 2)).astype(np.float32)
    objective = fv.statistics("layer", targets)
    order = RNG.permutation(6)
    assert float(objective({"layer": h[:, order]})[0]) == pytest.approx(float(objective({"layer": h})[0]))
    found = jax.grad(lambda h: objective({"layer": h})[0])(jnp.asarray(h))
    ranks = h.argsort(1).argsort(1)
    wanted = np.take_along_axis(np.sort(targets, axis=0)[None], ranks, axis=1)
    np.testing.assert_allclose(found, -2 * (h - wanted) / h.size, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("targets", "importance", "message"),
    [
        (np.zeros(3), None, r"`targets` has shape \(3,\); expected \(ranks, units\)"),
        (np.zeros((3, 2)), np.ones(3), r"`importance` has shape \(3,\); expected \(2,\)"),
        (np.zeros((3, 2)), [-1.0, 0.0], "`importance` has -1.0; expected numbers of 0 or more"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(targets, importance, message):
    with pytest.raises(FeatvizError, match=message):
        fv.statistics("layer", targets, importance=importance)


def test_targets_of_other_units_are_refused_before_any_work(patterns):
    with pytest.raises(FeatvizError, match=r"`targets` has shape \(4, 3\); conv2 has 32 units"):
        fv.render(patterns, fv.statistics("conv2", np.zeros((4, 3))), size=32, steps=1)
