"""The flag: raised where evidence is missing, never where there is plenty, and it says why."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.evaluation.flag import COMPANY, LIKE, MORE, SILENT, doubts, untold


def figures_of(company, foretold, percentile=100.0):
    return {"company": company, "foretold": 0.5, "foretold_deviations": foretold, "percentile": percentile}


numbers = st.floats(-5, 5)


@given(numbers, numbers, st.floats(0, 100))
def test_reasons_are_given_just_where_there_is_doubt(company, foretold, percentile):
    doubt, reasons = doubts(figures_of(company, foretold, percentile), fires=True)
    assert (doubt > 0) == bool(reasons)
    missing, below = 1.6 - company - foretold / 2, 9 - percentile / 10
    assert doubt == pytest.approx(max(missing, below) if below > 0 else missing)


@given(numbers, numbers, st.floats(0.01, 3))
def test_more_evidence_is_never_more_doubt(company, foretold, more):
    doubt, _ = doubts(figures_of(company, foretold), fires=True)
    for better in (figures_of(company + more, foretold), figures_of(company, foretold + more)):
        assert doubts(better, fires=True)[0] < doubt


def test_what_is_not_known_speaks_for_nothing():
    assert doubts(figures_of(math.nan, math.nan), fires=True)[0] == 1.6
    assert doubts(figures_of(9.0, 9.0), fires=False) == (math.inf, ("no photograph excites it",))
    assert "photographs excite it more" in doubts(figures_of(9.0, 9.0, 40.0), fires=True)[1]


def test_few_photographs_tell_nothing_but_that_they_excite_more():
    for reasons in ((LIKE,), (COMPANY,), (COMPANY, LIKE), (SILENT,)):
        assert untold({"foretold": 0.9}, reasons, photos=199) == ("199 photographs are few",)
        assert untold({"foretold": 0.9}, reasons, photos=200) == ()
    assert untold({"foretold": 0.9}, (), photos=40) == untold({"foretold": 0.0}, (MORE, LIKE), photos=40) == ()


@pytest.mark.parametrize("foretold", [0.04, -0.5])
def test_a_network_that_knows_nothing_of_the_unit_blames_nobody(foretold):
    assert len(untold({"foretold": foretold}, (LIKE,), photos=800)) == 1
    # Two standard errors on 400 photographs are .1; what company says needs no other network.
    assert untold({"foretold": 0.11}, (LIKE,), photos=800) == untold({"foretold": math.nan}, (LIKE,), photos=800) == ()
    assert untold({"foretold": foretold}, (COMPANY, LIKE), photos=800) == ()
