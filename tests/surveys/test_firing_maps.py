"""Where units fire, against the network's own activations."""

import numpy as np
import pytest

import featviz as fv
from featviz.surveys import firing_maps as module
from featviz.surveys.firing_maps import evenly, firing_maps


def test_maps_and_densities_are_those_of_the_layer(whole_survey, tiny, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 20)
    sample = evenly(np.arange(len(whole_survey)), 20)
    found = firing_maps(whole_survey, "conv2", {5: [0, 3, 7], 299: [3]})
    observed = [fv.observe(tiny, whole_survey.photo(index) / np.float32(255), "conv2") for index in sample]
    np.testing.assert_allclose(found.density, (np.stack(observed) > 0).mean((0, 1, 2)), atol=1e-6)
    assert found.photos == 20 and set(found.maps) == {(0, 5), (3, 5), (7, 5), (3, 299)}
    own = np.maximum(fv.observe(tiny, whole_survey.photo(5) / np.float32(255), "conv2")[..., 3], 0)
    assert own.max() > 0
    np.testing.assert_allclose(found.maps[3, 5], 255 * own / own.max(), atol=0.6)


def test_a_layer_without_positions_has_one(whole_survey):
    found = firing_maps(whole_survey, "fc", {2: [1]})
    assert found.maps[1, 2].shape == (1, 1) and len(found.density) == 80


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (3, 3), (9, 5)])
def test_evenly(count, expected):
    chosen = evenly(np.arange(5), count)
    assert len(chosen) == len(set(chosen.tolist())) == expected and chosen[0] == 0
