"""Evidence on a small network: the figures of good and of wrong pictures, several of a unit, and refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
from support.evidence import LAYER, picture_of

import featviz as fv
from featviz.ascent.outcome import Outcome
from featviz.errors import FeatvizError
from featviz.evaluation.evidence import unit_of
from featviz.evaluation.evidence_text import verdict
from featviz.evaluation.features import Features
from featviz.pictures.picture import Picture


@pytest.fixture(scope="module")
def evidence(blob_survey, patterns):
    best = blob_survey.maxima(LAYER).argmax(0)
    pictures = [picture_of(blob_survey.photo(best[unit]), unit) for unit in range(6)]
    return fv.evidence(pictures, blob_survey, other=Features(patterns, "mixed3a"), progress=False)


def test_the_best_photograph_of_a_unit_excites_it_and_is_selective(evidence, blob_survey):
    for row in evidence.rows:
        unit = int(row.name.split(":")[1])
        column = blob_survey.maxima(LAYER, units=unit)
        assert row.activation == pytest.approx(float(column.max()), rel=1e-4)
        numbers = np.arange(len(blob_survey))[::2]
        assert row.figures["activation_z"] == pytest.approx(
            (column.max() - column[numbers].mean()) / column[numbers].std(), rel=1e-3
        )
        assert row.figures["activation_percentile"] > 95
        assert 1 <= row.figures["selectivity_rank"] <= blob_survey.layer(LAYER).units


def test_photographs_predict_and_predictions_are_shares(evidence):
    assert np.nanmean(evidence.column("photo_prediction")) > 0.6
    for figure in ("prediction", "prediction_hard", "photo_prediction", "other_units_prediction"):
        values = evidence.column(figure)
        assert ((values >= 0) & (values <= 1)).all()


def test_the_picture_of_another_unit_is_less_active(evidence, blob_survey, patterns):
    low = blob_survey.maxima(LAYER, units=0).argmin()
    wrong = fv.evidence(
        [picture_of(blob_survey.photo(low), 0)], blob_survey, other=Features(patterns, "mixed3a"), progress=False
    )
    assert wrong.rows[0].figures["activation_percentile"] < 10 < evidence.rows[0].figures["activation_percentile"]
    assert np.isnan(wrong.rows[0].figures["other_units_prediction"])  # there is no other unit's picture to compare with


def test_few_photographs_are_inconclusive(blob_survey, patterns):
    """Photographs that excite the units moderately: 60 photographs are too few to flag them as dissimilar."""
    middling = np.argsort(blob_survey.maxima(LAYER), axis=0)[-4]
    pictures = [picture_of(blob_survey.photo(middling[unit]), unit) for unit in range(12)]
    made = fv.evidence(pictures, blob_survey, other=Features(patterns, "mixed3a"), progress=False)
    flagged = [row for row in made.rows if row.flag_reasons and row.figures["activation_percentile"] > 90]
    assert flagged and all(row.trusted is None and row.inconclusive[0] == "only 60 photographs" for row in flagged)
    assert all(verdict(row)[1].startswith("inconclusive: only 60 photographs") for row in flagged)
    assert all(row.trusted is False for row in made.rows if row.figures["activation_percentile"] < 90)
    assert all(row.trusted is True and verdict(row)[0] for row in made.rows if not row.flag_reasons)
    assert made.to_json()["units"][0]["inconclusive"] == list(made.rows[0].inconclusive)


def test_several_pictures_of_a_unit_are_one_row(blob_survey, patterns):
    two = [picture_of(blob_survey.photo(n), 3) for n in (0, 1)]
    both = fv.evidence(two, blob_survey, other=Features(patterns, "mixed3a"), progress=False)
    assert [row.name for row in both.rows] == [f"{LAYER}:3"]
    assert both.rows[0].activation == pytest.approx(blob_survey.maxima(LAYER, units=3)[:2].mean(), rel=1e-5)


@pytest.mark.parametrize("name", ["mixed3b:3@top4", "mixed3b:3@top16patches"])
def test_a_picture_of_the_strongest_positions_is_of_their_unit(name, blob_survey):
    picture = Picture(np.zeros((64, 64, 3), np.float32), 0, Outcome.DEAD, np.zeros(1), {"name": name})
    assert unit_of(picture, blob_survey) == (LAYER, 3)


def test_means_and_json(evidence):
    mean, low, high = evidence.means()["prediction"]
    assert low <= mean <= high
    assert mean == pytest.approx(evidence.column("prediction").mean())
    assert json.loads(json.dumps(evidence.to_json()))["units"][0]["name"] == f"{LAYER}:0"
    trusted = sum(row.trusted is True for row in evidence.rows)
    assert (
        repr(evidence) == f"<Evidence of {len(evidence.rows)} units, {trusted} trusted, compared by {evidence.other}>"
    )
    with pytest.raises(FeatvizError, match="did you mean `prediction`"):
        evidence.column("predictio")


@pytest.mark.parametrize(
    "name, words",
    [
        ("mixed3b:99999", "is of no unit"),
        ("mixed3c:1", "did you mean `mixed3b`"),
        ("mixed3b:3@1x1", "not of one channel"),
        ("picture", "not of one channel"),
    ],
)
def test_pictures_that_are_not_of_a_unit_are_refused(name, words, blob_survey, patterns):
    picture = Picture(np.zeros((64, 64, 3), np.float32), 0, Outcome.DEAD, np.zeros(1), {"name": name})
    with pytest.raises(FeatvizError, match=words):
        fv.evidence([picture], blob_survey, other=patterns, progress=False)


def test_a_survey_of_too_few_photographs_is_refused(patterns, tmp_path, blob_survey):
    few = fv.survey(patterns, [blob_survey.photo(0)] * 8, out=tmp_path / "few", layers=[LAYER], progress=False)
    with pytest.raises(FeatvizError, match="8 photos; expected 40 or more"):
        fv.evidence([picture_of(blob_survey.photo(0), 0)], few, other=patterns, progress=False)


def test_pictures_of_other_weights_are_refused(patterns, blob_survey):
    drawn = picture_of(blob_survey.photo(0), 0)
    other = replace(drawn, provenance=drawn.provenance | {"network": {"weights_sha256": "0" * 64}})
    with pytest.raises(FeatvizError, match=f"`{LAYER}:0` was drawn with other weights than the survey's"):
        fv.evidence([drawn, other], blob_survey, other=patterns, progress=False)
