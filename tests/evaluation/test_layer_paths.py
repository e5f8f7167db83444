"""The layers below a unit's, and their activations pooled in a box."""

import numpy as np
from support.evidence import LAYER

from featviz.evaluation.layer_paths import layers_below, pooled_in


def test_layers_below_are_pooled_where_the_box_is(patterns, blob_survey):
    assert layers_below(patterns, LAYER)[0] == "conv1"
    image = blob_survey.photo(0)
    whole = pooled_in(patterns, {"conv1": [(0, 0, 64, 64)]}, [image])["conv1"][0]
    images = image[None].astype(np.float32) / np.float32(255)
    expected = np.asarray(patterns.apply(patterns.weights, images, layers=["conv1"])["conv1"]).mean((0, 1, 2))
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)
