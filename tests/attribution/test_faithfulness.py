"""Faithfulness: perfect where the network is linear behind the layer, and poor attributions are named."""

from dataclasses import replace

import numpy as np
import pytest

import featviz as fv
from featviz.attribution.effects import unit_effects
from featviz.attribution.faithfulness import Faithfulness, _rank_correlation, _shuffled, faithfulness
from featviz.attribution.methods import GradientTimesActivation, Occlusion
from featviz.errors import FeatvizError

PHOTO = np.random.default_rng(0).random((16, 16, 3), np.float32)


def test_an_exact_attribution_correlates_wholly_with_ablation(tiny):
    objective = fv.logit(3)
    why = fv.attribute(tiny, PHOTO, objective, layer="conv2/relu", method=GradientTimesActivation())
    found = faithfulness(tiny, why, PHOTO, objective)
    assert found.correlation > 0.999
    # Both curves are of one ranking: what deletion loses first, insertion gains first.
    assert found.insertion >= found.deletion
    assert [name for name, _ in found.lines()][:4] == [
        "correlation with ablation",
        "deletion",
        "insertion",
        "under shuffled weights",
    ]
    turned = replace(why, values=-why.values)
    assert faithfulness(tiny, turned, PHOTO, objective).correlation < -0.999


def test_what_is_ablated_becomes_the_baseline_of_the_attribution(tiny):
    objective, h = fv.logit(3), fv.observe(tiny, PHOTO, "conv2/relu")
    # Behind the layer the network is linear: only with the baseline's own ablation do the two agree.
    baseline = np.broadcast_to(np.random.default_rng(1).random(h.shape[-1], np.float32) * 4 * h.max(), h.shape)
    options = {"layer": "conv2/relu", "method": GradientTimesActivation()}
    why = fv.attribute(tiny, PHOTO, objective, baseline=baseline, **options)
    assert faithfulness(tiny, why, PHOTO, objective).correlation > 0.999
    assert faithfulness(tiny, replace(why, baseline=0.0), PHOTO, objective).correlation < 0.99
    effects = unit_effects(tiny, PHOTO, objective, "conv2/relu", [2, 5], baseline=baseline)
    for unit, effect in zip([2, 5], effects, strict=True):
        edited = tiny.edited({"conv2/relu": fv.clamp(unit, float(baseline[0, 0, unit]))})
        after = edited.apply(edited.weights, PHOTO[None], layers=["<output>"])["<output>"][0, 3]
        assert effect == pytest.approx(float(after) - why.scores[0], abs=1e-4)


def test_a_method_that_fails_says_so():
    good = Faithfulness(0.9, 0.1, 0.8, 0.5, 0.05)
    assert good.faults == () and good.lines()[-1][0] == "under shuffled weights"
    bad = Faithfulness(0.1, 0.6, 0.4, 0.5, 0.9)
    assert len(bad.faults) == 3 and bad.lines()[-1] == ("fails", "; ".join(bad.faults))
    assert replace(good, randomized=-0.9).faults == ("it hardly depends on the network's weights",)


def test_units_at_zero_in_both_rankings_are_not_agreement():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 4000)) * (rng.random((2, 4000)) > 0.85)
    assert abs(_rank_correlation(one, other)) < 0.1


def test_shuffling_leaves_the_edits_of_a_network_as_they_are(tiny):
    values = np.random.default_rng(0).random((8, 8, 8), np.float32)
    edited = tiny.edited({"conv2/relu": fv.patch_in(values)})
    shuffled = _shuffled(edited)
    np.testing.assert_array_equal(fv.observe(shuffled, PHOTO, "conv2/relu"), values)
    assert not np.allclose(fv.observe(shuffled, PHOTO, "conv1"), fv.observe(edited, PHOTO, "conv1"))


def test_several_images_and_methods_without_units_are_refused(tiny):
    objective = fv.logit(3)
    for images, method, message in (
        ([PHOTO, PHOTO], GradientTimesActivation(), "`why` is of 2 images; expected the attribution of one"),
        (PHOTO, Occlusion(), "`why` is by occlusion, which does not tell units apart"),
    ):
        why = fv.attribute(tiny, images, objective, layer="conv2/relu", method=method)
        with pytest.raises(FeatvizError, match=message):
            faithfulness(tiny, why, PHOTO, objective)
