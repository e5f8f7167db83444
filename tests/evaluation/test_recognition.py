"""Whether a network recognizes pictures of classes: ranks, and shares with their intervals."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

import featviz as fv
from featviz.errors import FeatvizError
from featviz.evaluation.recognition import class_ranks
from featviz.evaluation.sample_statistics import share_interval


def brightness_classifier(weights, images):
    """Four outputs: red, green, blue, and a constant."""
    means = jnp.mean(images, axis=(1, 2))
    return {"output": jnp.concatenate([means, jnp.full((len(images), 1), 0.25)], axis=1)}


MODEL = fv.from_function(brightness_classifier, {}, input=fv.InputSpec(size=(8, 8)))


def flat(*color):
    return np.tile(np.array(color, np.uint8), (5, 9, 1))


def test_ranks_by_hand():
    images = [flat(255, 128, 0), flat(255, 128, 0), flat(255, 128, 0), flat(0, 0, 255)]
    assert class_ranks(MODEL, images, [0, 1, 2, 0]).tolist() == [0, 1, 3, 3]


def test_a_tie_does_not_count_as_recognized():
    assert class_ranks(MODEL, [flat(128, 128, 128)], [1]).tolist() == [2]


def test_classes_that_do_not_fit_are_refused():
    with pytest.raises(FeatvizError, match="`classes` has 4; .* has 4 outputs, 0 to 3"):
        class_ranks(MODEL, [flat(0, 0, 0)], [4])
    with pytest.raises(FeatvizError, match="`classes` has 2 indices for 1 images"):
        class_ranks(MODEL, [flat(0, 0, 0)], [0, 1])


@pytest.mark.parametrize(("hits", "count"), [(0, 24), (24, 24), (9, 16), (1, 3)])
def test_the_interval_of_a_share_is_wilsons(hits, count):
    expected = binomtest(hits, count).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(share_interval(hits, count), (expected.low, expected.high), atol=1e-7)
