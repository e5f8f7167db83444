"""Faithfulness: perfect where the network is linear behind the layer, and poor attributions are named."""

from dataclasses import replace

import numpy as np

import featviz as fv
from featviz.attribution.faithfulness import Faithfulness, faithfulness
from featviz.attribution.methods import GradientTimesActivation

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


def test_a_method_that_fails_says_so():
    good = Faithfulness(0.9, 0.1, 0.8, 0.5, 0.05)
    assert good.faults == () and good.lines()[-1][0] == "under shuffled weights"
    bad = Faithfulness(0.1, 0.6, 0.4, 0.5, 0.9)
    assert len(bad.faults) == 3 and bad.lines()[-1] == ("fails", "; ".join(bad.faults))
