"""Facets that begin at photographs: a typical one of each cluster that excites the unit much, cut around the unit."""

import numpy as np
import pytest
from support.evidence import LAYER

import featviz as fv
from featviz.errors import FeatvizError
from featviz.surveys.facet_clusters import cluster_photos, photos_of_facets

RAW = fv.Recipe(parameterization=fv.parameterizations.RawPixels(), optimizer=fv.optimizers.SGD(0.0))


def test_each_facet_begins_at_a_typical_photograph_of_its_cluster_that_excites_the_unit(blob_survey):
    starts = fv.facet_starts(blob_survey, LAYER, 2, count=3, size=32)
    photos = photos_of_facets(blob_survey, LAYER, [2], 3)
    ((unit, found),) = cluster_photos(blob_survey, LAYER, photos, 3)
    assert unit == 2 and len(starts) == 3
    rows = np.delete(found.standard, 2, axis=1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    grid = blob_survey.grid(LAYER)
    for group, start in enumerate(starts):
        members = np.flatnonzero(found.labels == group)
        scores = [found.standard[each, 2] * max(0.0, rows[each] @ rows[members].sum(0)) for each in members]
        best = int(found.photos[members[int(np.argmax(scores))]])
        row, column = divmod(int(blob_survey.positions(LAYER, units=2)[best]), grid.columns)
        height, width = blob_survey.size
        top = np.clip(round((row + 0.5) * height / grid.rows - 16), 0, height - 32)
        left = np.clip(round((column + 0.5) * width / grid.columns - 16), 0, width - 32)
        crop = blob_survey.photo(best)[top : top + 32, left : left + 32]
        np.testing.assert_array_equal(start, crop.astype(np.float32) / np.float32(255))


def test_pictures_larger_than_the_photographs_begin_at_enlarged_ones(blob_survey):
    (whole,) = fv.facet_starts(blob_survey, LAYER, 2, count=1, size=blob_survey.size[0])
    (large,) = fv.facet_starts(blob_survey, LAYER, 2, count=1, size=2 * blob_survey.size[0])
    assert large.shape == (2 * whole.shape[0], 2 * whole.shape[1], 3) and large.min() >= 0 and large.max() <= 1
    np.testing.assert_allclose(large.mean(), whole.mean(), atol=0.01)


def test_each_picture_of_a_group_begins_at_its_own_image(blob_survey):
    starts = fv.facet_starts(blob_survey, LAYER, 2, count=2, size=32)
    facets = fv.facets(blob_survey, LAYER, 2, count=2)
    pictures = fv.render_group(
        blob_survey.model, facets, group_size=2, start=starts, recipe=RAW, steps=1, progress=False
    )
    for picture, start in zip(pictures, starts, strict=True):
        np.testing.assert_allclose(picture.pixels, start, atol=1e-5)
    assert not np.allclose(starts[0], starts[1], atol=0.01)


def test_starts_that_fit_neither_objectives_nor_pictures_are_refused(patterns):
    images = [np.zeros((32, 32, 3), np.float32)] * 3
    with pytest.raises(FeatvizError, match="`start` has 3 images, .*; expected 1, one an objective, or 2, one a pic"):
        fv.render_group(patterns, fv.diverse(fv.channel("conv1", 0)), group_size=2, start=images, progress=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unit": -1}, "`unit` -1 is out of range"),
        ({"count": 0}, "`count` is 0"),
        ({"count": 900}, "`count` is 900; .* is active on .* photos"),
        ({"size": 4}, "`size` is 4"),
    ],
)
def test_what_does_not_fit_is_refused(blob_survey, given, message):
    with pytest.raises(FeatvizError, match=message):
        fv.facet_starts(blob_survey, LAYER, **{"unit": 2, **given})
