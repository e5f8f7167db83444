"""Objectives of --exemplars, and where their facets begin: of one reading of the survey."""

import numpy as np
import pytest
from support.evidence import LAYER
from support.surveys import refused

import featviz as fv
from featviz.atlas import facet_objectives
from featviz.cli.photo_objectives import match_exemplars
from featviz.surveys import survey as survey_module


def test_facets_and_their_photographs_are_those_of_the_library_in_the_order_asked_for(blob_survey):
    model, folder = blob_survey.model, blob_survey.store.path
    asked = [fv.channel(LAYER, unit) for unit in (3, 2, 3)]
    objectives, starts = match_exemplars(asked, folder, model, fv.recipes.default, 48, facets=2)
    expected = [fv.facets(blob_survey, LAYER, unit, count=2) for unit in (3, 2, 3)]
    assert [each.hash for each in objectives] == [each.hash for each in expected]
    images = [image for unit in (3, 2, 3) for image in fv.facet_starts(blob_survey, LAYER, unit, count=2, size=48)]
    np.testing.assert_array_equal(starts, images)


def test_the_survey_is_opened_and_clustered_once(blob_survey, monkeypatch):
    calls = []
    for module, name in ((survey_module, "open_survey"), (facet_objectives, "cluster_photos")):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, f=original, n=name, **k: calls.append(n) or f(*a, **k))
    asked = [fv.channel(LAYER, unit) for unit in (2, 3)]
    match_exemplars(asked, blob_survey.store.path, blob_survey.model, fv.recipes.default, (32, 40), facets=2)
    assert calls == ["open_survey", "cluster_photos"]


def test_one_picture_of_each_channel_begins_from_noise(blob_survey):
    found = match_exemplars(
        [fv.channel(LAYER, 2)], blob_survey.store.path, blob_survey.model, fv.recipes.default, None, facets=1
    )
    assert found.objectives[0].hash == fv.exemplars(blob_survey, LAYER, 2).hash and found.starts is None


@pytest.mark.parametrize(
    "objective, facets, problem",
    [(fv.channel(LAYER, 2), 60, "`count` is 60"), (-fv.channel(LAYER, 2), 2, "is not a channel")],
)
def test_what_has_no_photographs_is_refused(blob_survey, objective, facets, problem):
    recipe = fv.recipes.default
    folder = blob_survey.store.path
    refused(problem, match_exemplars, [objective], folder, blob_survey.model, recipe, 32, facets=facets)
