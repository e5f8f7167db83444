"""Examples of units that are mostly silent."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featviz.surveys.firing_examples import firing_examples, firing_parts


@given(st.integers(0, 80), st.integers(0, 50))
def test_intervals_are_parts_of_where_it_fires(fires, seed):
    rng = np.random.default_rng(seed)
    values = rng.permutation(np.concatenate([np.zeros(20), 1 + rng.random(fires), [np.nan]]))
    parts = firing_parts(values, 9, 4)
    chosen = [index for _, indices in parts for index in indices.tolist()]
    assert len(set(chosen)) == len(chosen) and all(values[chosen] > 0)
    # From the strongest to the weakest, over all intervals.
    assert (np.diff(values[chosen]) <= 0).all()
    assert [percentile for percentile, _ in parts] == [100, 90, 70, 50, 30, 10][: len(parts)]
    if fires >= 9:
        np.testing.assert_array_equal(np.sort(values[chosen[:9]]), np.sort(values[values > 0])[-9:])
    if fires >= 29:
        assert [len(indices) for _, indices in parts] == [9, 4, 4, 4, 4, 4]


def test_examples_have_their_photograph_and_box(whole_survey):
    found = firing_examples(whole_survey, "conv2", 3)
    column = whole_survey.maxima("conv2", units=3)
    assert found[0].activation == column.max() and found[0].index == column.argmax()
    assert all(example.photo == whole_survey.names[example.index] and len(example.box) == 4 for example in found)
