"""The right input is found to be plausible, and wrong ones are detected."""

from dataclasses import replace

import pytest
from support.normed import SIDE, Normed, trained

from featviz.adapters.linen import from_linen
from featviz.diagnosis.check_input import read_photos
from featviz.diagnosis.conclusion import conclude
from featviz.diagnosis.input_candidates import COLORED, input_candidates, reverse_channels, same_encoding
from featviz.diagnosis.measurements import measure_candidates


@pytest.mark.parametrize("label", COLORED)
def test_batch_norms_identify_the_range_of_the_training(label, scenes):
    right = replace(COLORED[label], size=(SIDE, SIDE))
    weights = trained(right, scenes[:48])
    measurements = measure_candidates(from_linen(Normed(), weights, input=right), scenes[48:], input_candidates(right))
    assert measurements[0].drift < 0.05
    assert not conclude(measurements).wrong
    for number, measurement in enumerate(measurements[1:], start=1):
        conclusion = conclude([measurement, *measurements[:number], *measurements[number + 1 :]])
        # Untrained filters see no difference between red and blue.
        assert measurements[0] in conclusion.plausible and len(conclusion.plausible) <= 2
        assert conclusion.wrong == (measurement not in conclusion.plausible)
        assert conclusion.wrong or same_encoding(measurement.candidate.spec, reverse_channels(right))


@pytest.mark.parametrize(
    "name", ["squeezenet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("googlenet", "deit"))]
)
def test_real_networks_detect_every_wrong_input(name, request, photos):
    model = request.getfixturevalue(name)
    measurements = measure_candidates(model, read_photos(model, photos[::25]), input_candidates(model.input))
    conclusion = conclude(measurements)
    assert conclusion.plausible == (measurements[0],) and not conclusion.wrong
    for number, measurement in enumerate(measurements[1:], start=1):
        conclusion = conclude([measurement, *measurements[:number], *measurements[number + 1 :]])
        assert conclusion.wrong, measurement.candidate.label
        assert conclusion.plausible == (measurements[0],), measurement.candidate.label
    few = measure_candidates(model, read_photos(model, photos[:3]), input_candidates(model.input)[:2])
    assert "too few" in conclude(few).reason
