"""The flag: raised where evidence is missing, with its reasons, and inconclusive where there is too little of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.evaluation.flag import COACTIVATION, DISSIMILAR, PHOTOS_HIGHER, SILENT, flag_reasons, inconclusive


def figures_of(coactivation, transfer, percentile=100.0):
    return {
        "coactivation": coactivation,
        "predicted_r": 0.5,
        "transfer_z": transfer,
        "activation_percentile": percentile,
    }


numbers = st.floats(-5, 5)


@given(numbers, numbers, st.floats(0, 100))
def test_reasons_are_given_exactly_where_the_margin_is_positive(coactivation, transfer, percentile):
    margin, reasons = flag_reasons(figures_of(coactivation, transfer, percentile), varies=True)
    assert (margin > 0) == bool(reasons)
    missing, below = 1.6 - coactivation - transfer / 2, 9 - percentile / 10
    assert margin == pytest.approx(max(missing, below) if below > 0 else missing)


@given(numbers, numbers, st.floats(0.01, 3))
def test_more_evidence_lowers_the_margin(coactivation, transfer, more):
    margin, _ = flag_reasons(figures_of(coactivation, transfer), varies=True)
    for better in (figures_of(coactivation + more, transfer), figures_of(coactivation, transfer + more)):
        assert flag_reasons(better, varies=True)[0] < margin


def test_unknown_figures_count_as_no_evidence():
    assert flag_reasons(figures_of(math.nan, math.nan), varies=True)[0] == 1.6
    assert flag_reasons(figures_of(9.0, 9.0), varies=False) == (math.inf, ("no photograph excites it",))
    assert "photographs excite it more" in flag_reasons(figures_of(9.0, 9.0, 40.0), varies=True)[1]


def test_few_photographs_are_inconclusive_unless_they_excite_the_unit_more():
    for reasons in ((DISSIMILAR,), (COACTIVATION,), (COACTIVATION, DISSIMILAR), (SILENT,)):
        assert inconclusive({"predicted_r": 0.9}, reasons, photos=199) == ("only 199 photographs",)
        assert inconclusive({"predicted_r": 0.9}, reasons, photos=200) == ()
    assert (
        inconclusive({"predicted_r": 0.9}, (), photos=40)
        == inconclusive({"predicted_r": 0.0}, (PHOTOS_HIGHER, DISSIMILAR), photos=40)
        == ()
    )


@pytest.mark.parametrize("predicted_r", [0.04, -0.5])
def test_a_network_that_predicts_nothing_of_the_unit_is_inconclusive(predicted_r):
    assert len(inconclusive({"predicted_r": predicted_r}, (DISSIMILAR,), photos=800)) == 1
    # Two standard errors on 400 photographs are .1; coactivation needs no other network.
    assert (
        inconclusive({"predicted_r": 0.11}, (DISSIMILAR,), photos=800)
        == inconclusive({"predicted_r": math.nan}, (DISSIMILAR,), photos=800)
        == ()
    )
    assert inconclusive({"predicted_r": predicted_r}, (COACTIVATION, DISSIMILAR), photos=800) == ()
