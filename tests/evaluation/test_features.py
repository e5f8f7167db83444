"""The features of another network."""

import numpy as np

from featviz.evaluation.features import Features, features_of, fit


def test_features_are_the_mean_over_positions(patterns, blob_survey):
    image = blob_survey.photo(1)
    images = image[None].astype(np.float32) / np.float32(255)
    expected = np.asarray(patterns.apply(patterns.weights, images, layers=["mixed3a"])["mixed3a"]).mean((0, 1, 2))
    np.testing.assert_allclose(Features(patterns, "mixed3a")([image])[0], expected, rtol=1e-4, atol=1e-5)
    assert fit(image, (32, 48)).shape == (32, 48, 3)
    assert features_of(patterns).layer in [layer.name for layer in patterns.layers]
