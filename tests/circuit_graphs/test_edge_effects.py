"""Verdicts by bootstrap, and photos on which a unit fires."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.circuit_graphs.circuit_parts import Verdict
from featviz.circuit_graphs.edge_effects import firing_photos, judge


@settings(deadline=None)
@given(st.lists(st.floats(0.05, 0.9), min_size=6, max_size=16), st.booleans())
def test_an_effect_of_one_sign_confirms_a_weight_of_that_sign(changes, excites):
    signed = np.array(changes) if excites else -np.array(changes)
    sign = 1.0 if excites else -1.0
    assert judge(signed, sign).verdict is Verdict.CONFIRMED
    assert judge(signed, -sign).verdict is Verdict.UNCONFIRMED
    found = judge(signed, sign)
    assert found.low <= found.contribution + 1e-9 and found.contribution <= found.high + 1e-9 and found.active == 1


@settings(deadline=None)
@given(st.lists(st.floats(0.05, 0.9), min_size=1, max_size=5), st.sampled_from([-1.0, 0.0, 1.0]), st.booleans())
def test_fewer_than_six_photos_decide_nothing(changes, sign, excites):
    # A sign test of five is at 2 / 32, above 5 %.
    found = judge(np.array(changes) if excites else -np.array(changes), sign)
    assert found.verdict is Verdict.UNDECIDED and found.photos == len(changes)


def test_what_is_not_distinct_from_zero_is_not_confirmed():
    assert judge(np.array([0.5, -0.5, 0.4, -0.4, 0.3, -0.3]), 1.0).verdict is Verdict.UNCONFIRMED
    assert judge(np.zeros(5), 1.0).verdict is Verdict.SILENT
    assert judge(np.array([-0.5, -0.4, -0.4, -0.3, -0.5, -0.4]), 0).verdict is Verdict.CONFIRMED
    assert judge(np.array([0.5, -0.5, 0.4, -0.4, 0.3, -0.3]), 0).verdict is Verdict.UNCONFIRMED
    assert judge(np.zeros(0), 1.0).verdict is Verdict.UNTESTED


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), max_size=40), st.integers(1, 10))
def test_photos_are_those_on_which_the_unit_fires(values, count):
    activations = np.array(values)
    chosen = firing_photos(activations, count)
    assert len(chosen) == min(count, int((activations > 0).sum())) and len(set(chosen.tolist())) == len(chosen)
    assert (activations[chosen] > 0).all() and (np.diff(activations[chosen]) <= 0).all()
