"""Units that fire together, against sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.circuits.co_activation import co_activation_neighbors, firing


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 12), st.integers(0, 1000), st.floats(0.05, 0.9))
def test_the_index_is_that_of_sets(photos, units, seed, share):
    fires = np.random.default_rng(seed).random((photos, units)) < share
    sets = [set(np.flatnonzero(column).tolist()) for column in fires.T]
    ranked = co_activation_neighbors(fires, 3)
    for unit in range(units):
        indices = {
            other: len(sets[unit] & sets[other]) / len(sets[unit] | sets[other])
            for other in range(units)
            if other != unit and sets[unit] & sets[other]
        }
        expected = sorted(indices.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
        found = ranked.row(unit)
        assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=1e-6)
        assert all(value == pytest.approx(indices[other], abs=1e-6) for other, value in found)


def test_units_that_mostly_fire_are_counted_on_their_strongest_tenth():
    activations = np.arange(1.0, 21.0)[:, None] * [1, 1, 0] + np.array([0, 0, -1.0])
    activations[3, 2] = 2.0
    fires = firing(activations)
    assert fires[:, 0].tolist() == [False] * 18 + [True] * 2
    assert np.flatnonzero(fires[:, 2]).tolist() == [3]
    activations[0] = np.nan
    assert not firing(activations)[0].any()
    assert firing(np.zeros((0, 2))).shape == (0, 2)
