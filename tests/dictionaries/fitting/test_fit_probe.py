"""Probes of planted concepts, and of none."""

import numpy as np
import pytest
from support.surveys import IMAGES, refused

import featviz as fv
from featviz.dictionaries.fitting.fit_probe import judge_separation, separate

RNG = np.random.default_rng(0)
CONCEPT = np.eye(12)[3]
FIRST = RNG.normal(size=(40, 12)) + 3 * CONCEPT
SECOND = RNG.normal(size=(50, 12))


def test_the_direction_of_a_concept_is_found():
    vector, bias = separate(FIRST, SECOND)
    assert vector @ CONCEPT / np.linalg.norm(vector) > 0.9
    logits = np.concatenate([FIRST, SECOND]) @ vector + bias
    assert np.mean((logits > 0) == (np.arange(90) < 40)) > 0.9


def test_a_concept_is_significant_and_chance_is_not():
    accuracy, p_value = judge_separation(FIRST, SECOND, 40, 0)
    assert accuracy > 0.85 and p_value == pytest.approx(1 / 41)
    accuracy, p_value = judge_separation(SECOND[:25], SECOND[25:], 40, 0)
    assert accuracy < 0.7 and p_value > 0.05


def test_a_probe_is_an_objective_and_a_dictionary(tiny):
    light = (IMAGES[:14] // 2 + 128).astype(np.uint8)
    probe = fv.fit_probe(tiny, "conv2", light, IMAGES[20:34] // 2, name="light", permutations=5)
    assert (probe.positives, probe.negatives, probe.accuracy) == (14, 14, 1.0)
    means = np.asarray(tiny.apply(tiny.weights, light / np.float32(255), layers=("conv2",))["conv2"]).mean(axis=(1, 2))
    logits = means @ probe.vector + probe.bias
    assert (logits > 0).all()
    np.testing.assert_allclose(probe.dictionary.encode(means)[:, 0], logits, rtol=1e-3, atol=1e-4)
    assert probe.dictionary.record.names == ("light",) and probe.objective.layers == ("conv2",)


def test_too_few_photographs_are_refused(tiny):
    refused("`negatives` has 9 images", fv.fit_probe, tiny, "conv2", IMAGES[:20], IMAGES[:9])
    refused("is the same on all images", separate, np.ones((5, 3)), np.ones((5, 3)))
