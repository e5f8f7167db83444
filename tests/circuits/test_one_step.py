"""One-step weights: past one set of weights, and to the first layer with a name."""

from support.connected import Skipping
from support.tiny import build

from featviz.circuits.one_step import one_step_sources, one_step_targets


def parents(model):
    return {layer.name: layer.parents for layer in model.layers}


def test_a_block_is_computed_from_its_reductions(googlenet):
    found = one_step_sources(googlenet)
    reductions = ("inception_4c/3x3_reduce/relu", "inception_4c/5x5_reduce/relu")
    assert found["inception_4c"] == ("inception_4b", *reductions)
    assert found["inception_4c/3x3_reduce"] == ("inception_4b",)
    assert found["inception_4a/pool_proj"] == ("inception_3b",)
    above = one_step_targets(found, parents(googlenet), ["inception_4b", "inception_4c"])["inception_4b"]
    # The block holds the units of its 1x1 and its pooled branch; the reductions have units of their own.
    assert set(above) == {"inception_4c/3x3_reduce", "inception_4c/5x5_reduce", "inception_4c"}


def test_layers_that_follow_each_other(tiny):
    found = one_step_sources(tiny)
    assert found["conv2/relu"] == ("conv1/relu",) and found["fc"] == ("conv2/relu",)
    above = one_step_targets(found, parents(tiny), ["conv1/relu", "conv2/relu", "fc"])
    assert above["conv1/relu"] == ("conv2/relu",) and above["conv2/relu"] == ("fc",)
    assert one_step_targets(found, parents(tiny), [])["conv1/relu"] == ("conv2",)


def test_a_skip_connection_ends_at_its_sum():
    model = build(Skipping(), size=16)
    assert one_step_sources(model)["third"] == ("first", "second/relu")
    assert one_step_sources(model)["second"] == ("LayerNorm_0",)
