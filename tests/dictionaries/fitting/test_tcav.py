"""TCAV on a network whose gradients are known."""

import numpy as np
import pytest
from scipy.stats import ttest_ind
from support.surveys import IMAGES, refused

import featviz as fv
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.dictionaries.fitting.tcav import class_gradients, welch_test


def hidden(tiny, images):
    return np.asarray(tiny.apply(tiny.weights, images / np.float32(255), layers=("conv2",))["conv2"])


def test_slopes_are_the_classifier_s_weights(tiny):
    # A ReLU, the mean over positions, a dense layer: the gradient is the class's column where units are active.
    found = class_gradients(tiny, "conv2", IMAGES[:5], 7, (16, 16), Sampling())
    column = np.asarray(tiny.weights["params"]["fc"]["kernel"])[:, 7]
    np.testing.assert_allclose(found, (hidden(tiny, IMAGES[:5]) > 0).mean(axis=(1, 2)) * column, rtol=1e-4, atol=1e-6)


def test_a_class_answers_to_a_concept_along_its_weights(tiny):
    light = (IMAGES[:30] // 2 + 128).astype(np.uint8)
    dark = IMAGES[30:90] // 2
    means = [hidden(tiny, each).mean(axis=(0, 1, 2)) for each in (light, dark)]
    active = (hidden(tiny, IMAGES[100:110]) > 0).mean(axis=(0, 1, 2))
    alignment = ((means[0] - means[1]) * active) @ np.asarray(tiny.weights["params"]["fc"]["kernel"])
    for index, score in ((int(alignment.argmax()), 1.0), (int(alignment.argmin()), 0.0)):
        found = fv.tcav(tiny, "conv2", light, dark, IMAGES[100:110], index, runs=12)
        assert found.score == score and found.p_value < 0.05
        assert 0 < found.random_score < 1 and len(found.scores) == len(found.random_scores) == 12


def test_a_concept_that_is_none_is_not_significant(tiny):
    found = fv.tcav(tiny, "conv2", IMAGES[:20], IMAGES[20:80], IMAGES[100:110], 3, runs=12)
    assert found.p_value > 0.001 and all(0 <= score <= 1 for score in (*found.scores, *found.random_scores))


def test_welch():
    rng = np.random.default_rng(0)
    for first, second in ((rng.random(7), rng.random(5) + 0.2), (rng.random(3), 2 * rng.random(9))):
        assert welch_test(first, second) == pytest.approx(ttest_ind(first, second, equal_var=False).pvalue)


def test_a_class_that_is_none_is_refused(tiny):
    refused("`class_index` is 80", fv.tcav, tiny, "conv2", IMAGES[:20], IMAGES[:40], IMAGES[:9], 80)
