"""Standard deviations of units over positions and images."""

import jax.numpy as jnp
import numpy as np
from support.surveys import refused

from featviz.circuits.linearization_point import pink_noise
from featviz.circuits.unit_std import surveyed_unit_std, unit_std


def test_the_standard_deviation_is_over_all_positions_and_images(bottleneck):
    images = pink_noise(np.random.default_rng(1), 11, (24, 24))
    found = unit_std(bottleneck, ["below/relu", "fc"], images=images)
    made = bottleneck.apply(bottleneck.weights, jnp.asarray(images), layers=("below/relu", "fc"))
    for layer, sd in found.items():
        expected = np.asarray(made[layer], np.float64).std(tuple(range(made[layer].ndim - 1)))
        np.testing.assert_allclose(sd, expected, rtol=1e-4, atol=1e-7)
    assert unit_std(bottleneck, ["fc"])["fc"].tolist() == [1.0] * 7


def test_a_survey_gives_those_on_its_photos(broken_survey):
    _, survey = broken_survey
    images = np.stack([survey.photo(number) for number in np.flatnonzero(survey.readable)]).astype(np.float32) / 255
    expected = unit_std(survey.model, ["conv2", "conv1/relu"], images=images)
    found = surveyed_unit_std(survey, ["conv2", "conv1/relu"])
    for layer, sd in found.items():
        np.testing.assert_allclose(sd, expected[layer], rtol=0.25, atol=1e-3)


def test_images_of_another_dtype_are_refused(bottleneck):
    refused("`images` are uint8", unit_std, bottleneck, ["below"], images=np.zeros((1, 24, 24, 3), np.uint8))
