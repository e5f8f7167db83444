"""The order in which pictures of explanations are drawn."""

import numpy as np
import pytest

import featviz as fv
from featviz.attribution import picture_order
from featviz.attribution.explanation import explain_photo
from featviz.attribution.methods import GradientTimesActivation
from featviz.attribution.picture_order import listed_units, picture_rounds, seen_units

LAYERS = ("conv1/relu", "conv2/relu")


@pytest.fixture(scope="module")
def explanations(tiny):
    options = {"objective": None, "method": GradientTimesActivation(), "units": 4, "group_count": 2}
    photos = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    return [explain_photo(tiny, str(i), photo, layers=LAYERS, **options) for i, photo in enumerate(photos)]


def test_each_picture_comes_once_and_the_foremost_come_first(explanations):
    rounds = picture_rounds(explanations, LAYERS)
    names = [each.label for objectives in rounds for each in objectives]
    hashes = [each.hash for objectives in rounds for each in objectives]
    assert len(set(hashes)) == len(hashes)
    views = [view for each in explanations for view in each.layers]
    # The last layer's foremost, the first one's, then the groups of every view.
    for objectives, layer in zip(rounds, reversed(LAYERS), strict=False):
        own = [view for view in views if view.layer == layer]
        foremost = {share.unit for view in own for share in (*view.supporting[:3], *view.opposing[:2])}
        assert {each.label for each in objectives} == {f"{layer}:{unit}" for unit in foremost}
    groups = {fv.direction(view.layer, row).hash for view in views for row in view.groups.directions}
    assert {each.hash for each in rounds[2]} == groups
    shares = {f"{view.layer}:{share.unit}" for view in views for share in (*view.supporting, *view.opposing)}
    assert shares <= set(names)


def test_units_of_places_are_drawn_up_to_a_number_and_all_are_listed(explanations, monkeypatch):
    monkeypatch.setattr(picture_order, "DRAWN_PLACES", 0)
    few = {each.hash for objectives in picture_rounds(explanations, LAYERS) for each in objectives}
    monkeypatch.setattr(picture_order, "DRAWN_PLACES", 2)
    more = {each.hash for objectives in picture_rounds(explanations, LAYERS) for each in objectives}
    top = {fv.channel(layer, unit).hash for layer in LAYERS for unit in seen_units(explanations, layer)[:2]}
    assert more == few | top
    for layer in LAYERS:
        views = [view for each in explanations for view in each.layers if view.layer == layer]
        units = listed_units(explanations, layer)
        assert len(units) == len(set(units))
        assert {int(unit) for view in views for unit in view.strongest.reshape(-1)} <= set(units)
    counts = np.bincount(np.concatenate([v.strongest[..., 0].reshape(-1) for v in views]))
    assert counts[seen_units(explanations, LAYERS[1])[0]] == counts.max()
