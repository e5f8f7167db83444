"""Facets: a unit at the clusters of its best photographs, in Python and on the command line."""

import json

import numpy as np
import pytest
from support.evidence import LAYER

import featviz as fv
from featviz.cli.main import run
from featviz.errors import FeatvizError
from featviz.surveys import unit_facets
from featviz.surveys.best_photos import best_photos_of
from featviz.surveys.clusters import cluster
from featviz.surveys.exemplars import layer_moments, maps_of
from featviz.surveys.reduction import maxima_of
from featviz.surveys.statistics import halves
from featviz.surveys.unit_facets import facet_shares


def test_facets_are_the_unit_with_each_cluster_of_its_photographs(blob_survey):
    term = fv.facets(blob_survey, LAYER, 2, count=3, share=1.0).terms[0]
    # By hand, from the network's activations on the best photographs of half A.
    model, numbers = blob_survey.model, np.flatnonzero(blob_survey.readable)[::2]
    images = np.stack([blob_survey.photo(n) for n in numbers]).astype(np.float32) / np.float32(255)
    maps = np.asarray(model.apply(model.weights, images, layers=[LAYER])[LAYER])
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    column = blob_survey.maxima(LAYER, units=2)[numbers]
    best = np.argsort(-column, kind="stable")[:12]
    best = best[column[best] > 0]
    sample = np.arange(len(numbers))[:: max(1, len(numbers) // 48)][:48]
    mean, deviation = flat[sample].mean((0, 1)), flat[sample].std((0, 1)) + 1e-3
    active = np.stack([flat[i, blob_survey.positions(LAYER, units=2)[numbers[i]]] for i in best])
    standard = (active - mean) / deviation
    others = np.delete(standard, 2, axis=1)
    labels = cluster(others / np.linalg.norm(others, axis=1, keepdims=True), 3)
    expected = np.stack([standard[labels == group].mean(0) / deviation for group in range(3)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(term.vectors, expected, atol=1e-3)
    np.testing.assert_allclose(term.shares, np.bincount(labels, minlength=3) / len(best), atol=1e-6)
    assert term.shares.sum() == pytest.approx(1) and (np.diff(term.shares) <= 0).all()


def test_facets_of_a_unit_are_the_same_alone_and_among_others(blob_survey):
    units = [5, 2, 9, 11]
    together = fv.facets(blob_survey, LAYER, units, count=3)
    assert [objective.hash for objective in together] == [fv.facets(blob_survey, LAYER, u, count=3).hash for u in units]
    assert [objective.label for objective in together] == [f"{LAYER}:{unit}" for unit in units]


def test_one_facet_of_no_share_is_the_unit_alone(blob_survey):
    term = fv.facets(blob_survey, LAYER, 2, count=1, share=0.0, power=0.0).terms[0]
    h = np.random.default_rng(0).normal(size=(2, 3, 4, blob_survey.layer(LAYER).units)).astype(np.float32)
    np.testing.assert_allclose(term.value({LAYER: h}), h[..., 2].mean((1, 2)), atol=1e-5)


def test_each_image_of_a_group_has_its_own_vector(blob_survey):
    objective = fv.facets(blob_survey, LAYER, 2, count=2)
    (term,), h = objective.terms, np.random.default_rng(0).random((3, 4, blob_survey.layer(LAYER).units))
    found = objective({LAYER: h.astype(np.float32)})
    for image, own in ((0, 0), (1, 1), (2, 0)):
        single = fv.direction(LAYER, term.vectors[own], power=1.0)
        np.testing.assert_allclose(found[image], single({LAYER: h[image : image + 1].astype(np.float32)})[0], rtol=1e-5)


def test_a_photograph_stands_for_itself_and_for_those_that_are_like_it(blob_survey):
    photos = best_photos_of(blob_survey, LAYER, [2], 3)[2]
    pictures = [blob_survey.photo(photos[0]), blob_survey.photo(photos[1]), np.full((64, 64, 3), 128, np.uint8)]
    found = facet_shares(blob_survey, LAYER, 2, pictures)
    # By hand, from the network's activations where the unit is most active.
    mean, deviation = layer_moments(blob_survey, LAYER, halves(blob_survey)[0])
    images = [*(blob_survey.photo(index) for index in photos), *pictures]
    _, places = maxima_of(blob_survey.model, np.stack(images), (LAYER,))[LAYER]
    maps = maps_of(blob_survey.model, LAYER, images)
    rows = np.delete((maps[np.arange(len(images)), np.asarray(places)[:, 2]] - mean) / deviation, 2, axis=1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    nearest = (rows[: len(photos)] @ rows[len(photos) :].T).argmax(1)
    np.testing.assert_allclose(found, np.bincount(nearest, minlength=3) / len(photos))
    assert nearest[:2].tolist() == [0, 1] and found.sum() == pytest.approx(1)


def test_of_a_unit_that_no_photograph_excites_shares_are_unknown(blob_survey, monkeypatch):
    monkeypatch.setattr(unit_facets, "best_photos_of", lambda *given: {2: np.zeros(0, int)})
    assert np.isnan(facet_shares(blob_survey, LAYER, 2, [blob_survey.photo(0)] * 2)).all()


def test_what_does_not_fit_is_refused(blob_survey):
    for changed, message in (
        ({"unit": -1}, "`unit` -1 is out of range"),
        ({"share": 2}, "`share` is 2"),
        ({"count": 0}, "`count` is 0"),
        ({"count": 900}, "`count` is 900; .* is active on .* photos"),
    ):
        with pytest.raises(FeatvizError, match=message):
            fv.facets(blob_survey, LAYER, **{"unit": 2, **changed})


def test_render_begins_facets_at_photographs_and_says_their_shares(blob_survey, tmp_path):
    out = tmp_path / "facets"
    words = ["render", "patterns", f"{LAYER}:2", "--facets", "2", "--steps", "2", "--size", "64", "--quiet"]
    run([*words, "--exemplars", str(blob_survey.store.path), "-o", str(out)])
    shares = fv.facets(blob_survey, LAYER, 2, count=2).terms[0].shares
    starts = fv.facet_starts(blob_survey, LAYER, 2, count=2, size=64)
    for index in range(2):
        picture = fv.load_picture(out / f"{LAYER}-2-facet{index}.png")
        assert picture.name == f"{LAYER}:2" and picture.provenance["note"] == f"{100 * shares[index]:.0f} % of photos"
        assert picture.provenance["objective"]["terms"][0]["kind"] == "Facets"
        assert picture.provenance["start"] == "an image" and picture.provenance["steps"] == 2
        assert np.corrcoef(picture.pixels.ravel(), starts[index].ravel())[0, 1] > 0.9


def test_facets_of_a_prior_that_draws_from_noise_begin_there(blob_survey, tmp_path):
    words = ["render", "patterns", f"{LAYER}:2", "--facets", "2", "--steps", "1", "--size", "32", "--quiet"]
    run([*words, "--recipe", "guided", "--exemplars", str(blob_survey.store.path), "-o", str(tmp_path / "f")])
    assert "start" not in fv.load_picture(tmp_path / "f" / f"{LAYER}-2-facet0.png").provenance


def test_without_photographs_nothing_of_them_enters(tmp_path):
    run(
        ["render", "patterns", f"{LAYER}:2", "--facets", "2", "--steps", "2", "--size", "64", "-o", str(tmp_path / "f")]
    )
    record = json.loads((tmp_path / "f" / f"{LAYER}-2-facet0.json").read_text())
    (term,) = record["objective"]["terms"]
    assert term["kind"] == "Diverse" and term["objective"]["terms"][0]["kind"] == "Channel" and "note" not in record
    model = fv.load("patterns")
    group = fv.render_group(model, fv.diverse(fv.channel(LAYER, 2)), group_size=2, size=64, steps=2, progress=False)
    for index, picture in enumerate(group):
        drawn = fv.load_picture(tmp_path / "f" / f"{LAYER}-2-facet{index}.png")
        np.testing.assert_array_equal(drawn.to_uint8(), picture.to_uint8())
