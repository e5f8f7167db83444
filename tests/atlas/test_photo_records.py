"""What an atlas shows of a survey: numbers as the survey has them, examples, evidence, chunk by chunk."""

import numpy as np
import pytest
from support.atlases import picture_of
from support.surveys import IMAGES, refused

import featviz as fv
from featviz.atlas import photo_records as photo_records_module
from featviz.atlas.photo_crops import LARGEST, PER_INTERVAL
from featviz.atlas.photo_records import survey_records
from featviz.evaluation.evidence import evidence
from featviz.evaluation.features import Features
from featviz.evaluation.figures import FIGURES
from featviz.surveys.reduction import maxima_of
from featviz.surveys.run_survey import survey
from featviz.surveys.statistics import INTERVALS


def test_numbers_are_those_of_the_survey(broken_survey, tiny):
    folder, made = broken_survey
    units = {unit: picture_of(IMAGES[unit]) for unit in range(7)} | {7: picture_of(np.tile(IMAGES[7], (2, 2, 1)))}
    found = survey_records(made, "conv2", units)
    assert list(found) == list(range(8))
    for unit, each in found.items():
        column = made.maxima("conv2", units=unit)[made.readable]
        assert each.count == 196 and each.counts.sum() == 196 and len(each.edges) == len(each.counts) + 1
        assert each.mean == pytest.approx(column.mean()) and each.std == pytest.approx(column.std(), rel=1e-4)
        assert each.active_fraction == pytest.approx((column > 0).mean())
        own = maxima_of(tiny, units[unit].to_uint8()[None], ("conv2",))["conv2"][0][0, unit]
        assert each.picture_activation == pytest.approx(float(own), rel=1e-5, abs=1e-6)
        assert not each.figures and each.trusted is None and each.verdict == ""
        for percentile in INTERVALS:
            some = [crop for crop in each.examples if crop.percentile == percentile]
            assert len(some) == (LARGEST if percentile == 100 else PER_INTERVAL)
            activations = [crop.activation for crop in some]
            assert activations == sorted(activations, reverse=True)
            if percentile in (0, 100):
                extreme = np.sort(column)[:PER_INTERVAL][::-1] if percentile == 0 else np.sort(column)[::-1][:LARGEST]
                np.testing.assert_array_equal(np.float32(activations), extreme)
            else:
                ranks = np.searchsorted(np.sort(column), activations) / (len(column) - 1) * 100
                assert (np.abs(ranks - percentile) < 3).all() or (column == activations[0]).sum() > 1
        for crop in each.examples:
            number = made.names.index(crop.photo)
            assert crop.href == (folder / crop.photo).resolve().as_uri() and crop.photo_size == (16, 16)
            left, top, right, bottom = (round(edge) for edge in crop.box)
            np.testing.assert_array_equal(crop.pixels, made.photo(number)[top:bottom, left:right])


def test_evidence_in_words(whole_survey, patterns):
    pictures = {unit: picture_of(IMAGES[whole_survey.maxima("conv2", units=unit).argmax()]) for unit in (1, 4)}
    phi = Features(patterns, "mixed3a")
    found = survey_records(whole_survey, "conv2", pictures, other=phi)
    named = [picture_of(picture.to_uint8(), f"conv2:{unit}") for unit, picture in pictures.items()]
    rows = evidence(named, whole_survey, other=phi, progress=False).rows
    for each, row in zip(found.values(), rows, strict=True):
        assert each.trusted == row.trusted and each.verdict
        assert [figure.name for figure in each.figures] == [figure.heading for figure in FIGURES]
        assert each.figures[0].value == f"{row.figures['activation_z']:.3g} sd"
        assert each.picture_activation == pytest.approx(row.activation)
        assert all(figure.meaning.endswith(".") for figure in each.figures)


def test_few_photos_and_invalid_units(whole_survey, tiny, tmp_path):
    assert survey_records(whole_survey, "conv2", {}) == {}
    few = survey(tiny, IMAGES[:3], out=tmp_path / "few", layers=["conv2"], progress=False)
    assert [crop.percentile for crop in survey_records(few, "conv2", {0: picture_of(IMAGES[0])})[0].examples] == [
        100
    ] * 3
    refused("expected 40", survey_records, few, "conv2", {0: picture_of(IMAGES[0])}, other=tiny)
    refused("`units` has 8", survey_records, whole_survey, "conv2", {8: picture_of(IMAGES[0])})
    refused("no layer `conv9`", survey_records, whole_survey, "conv9", {0: picture_of(IMAGES[0])})


def test_records_come_in_chunks(grown_copy, tiny, whole_survey, monkeypatch):
    at_once, describe = [], photo_records_module._survey_records
    monkeypatch.setattr(
        photo_records_module,
        "_survey_records",
        lambda survey, layer, of, units, *more, **options: (
            at_once.append(list(units)) or describe(survey, layer, of, units, *more, **options)
        ),
    )
    atlas = fv.open_atlas(grown_copy)
    pictures = {unit: atlas.picture(f"conv1:{unit}") for unit in range(20)}
    whole = photo_records_module.survey_records(whole_survey, "conv1", pictures)
    loaded = []
    chunks = photo_records_module.survey_records_in_chunks(
        whole_survey, "conv1", range(20), lambda unit: loaded.append(unit) or pictures[unit], chunk=8
    )
    first = next(chunks)
    assert loaded == list(first) == list(range(7))
    found = {unit: seen for chunk in (first, *chunks) for unit, seen in chunk.items()}
    assert [len(units) for units in at_once] == [20, 7, 7, 6] and list(found) == list(whole)
    for unit, seen in found.items():
        assert np.array_equal(seen.counts, whole[unit].counts)
        assert seen.picture_activation == pytest.approx(whole[unit].picture_activation)
        assert [crop.photo for crop in seen.examples] == [crop.photo for crop in whole[unit].examples]
    assert list(photo_records_module.survey_records_in_chunks(whole_survey, "conv1", [], pictures.get)) == []
