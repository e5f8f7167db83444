"""Layers by name or pattern."""

import pytest

import featviz as fv
from featviz.errors import FeatvizError
from featviz.model.layer_patterns import choose_layers


def test_patterns_of_layers():
    model = fv.load("patterns")
    assert choose_layers(model, ["mixed3*"]) == ("mixed3a", "mixed3b")
    assert choose_layers(model, ["conv2", "conv1"]) == ("conv1", "conv2")
    assert "mixed3a/1x1" in choose_layers(model, ["mixed3a/*"]) and "mixed3a" not in choose_layers(model, ["mixed3a/*"])
    assert choose_layers(model, None)[-1] == "logits"
    with pytest.raises(FeatvizError, match=r"no layer of patterns matches `mixd\*`"):
        choose_layers(model, ["mixd*"])
    with pytest.raises(FeatvizError, match="`full`"):
        choose_layers(model, ["conv1"], among=["conv2"], option="full")
