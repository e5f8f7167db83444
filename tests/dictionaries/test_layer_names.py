"""The layer that a dictionary's file names, by the names of a network."""

from dataclasses import replace

import numpy as np
import pytest

from featviz.dictionaries import Dictionary, DictionaryRecord
from featviz.dictionaries.kinds import KMeans
from featviz.dictionaries.layer_names import describe_origin, layer_of
from featviz.errors import FeatvizError
from featviz.model import hash_weights
from featviz.zoo.registry import outline


def named(layer, units=192):
    return Dictionary(KMeans(centers=np.eye(3, units, dtype=np.float32)), record=DictionaryRecord(layer=layer))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("blocks/6", "blocks/6"),
        ("blocks.6", "blocks/6"),
        ("blocks.6.hook_resid_post", "blocks/6"),
        ("blocks.6.hook_resid_pre", "blocks/5"),
        ("blocks.6.hook_mlp_out", "blocks/6/mlp"),
        ("blocks.6.hook_attn_out", "blocks/6/attn"),
    ],
)
def test_names_of_transformer_lens_are_those_of_blocks(said, expected):
    assert layer_of(outline("deit_tiny"), named(said)) == expected


def test_what_names_no_layer_is_refused_in_one_line():
    model = outline("deit_tiny")
    with pytest.raises(FeatvizError, match="the dictionary says that its layer is `blocks.40.hook_resid_post`, which "):
        layer_of(model, named("blocks.40.hook_resid_post"))
    with pytest.raises(
        FeatvizError,
        match="does not say its layer; expected a layer for it, by LAYER=FILE or --layer; layers of 192 units: `",
    ):
        layer_of(model, named(""))
    with pytest.raises(FeatvizError, match="no layer of deit_tiny has 5 units"):
        layer_of(model, named("blocks/6", units=5))


def test_a_dictionary_of_another_layer_or_of_other_weights_is_noticed(patterns):
    same = Dictionary(
        KMeans(centers=np.eye(3, 20, dtype=np.float32)),
        record=DictionaryRecord(model="patterns", layer="conv1", weights_sha256=hash_weights(patterns.weights)),
    )
    assert describe_origin(patterns, "conv1", same) is None
    assert describe_origin(patterns.with_dictionary("conv1", same), "conv1", same) is None
    assert describe_origin(patterns, "conv1", Dictionary(same.code)) is None
    other = replace(same, record=replace(same.record, weights_sha256="0" * 64, model="alexnet"))
    assert describe_origin(patterns, "conv1", other) == "it was fitted on other weights of alexnet"
    model = outline("deit_tiny")
    assert (
        describe_origin(model, "blocks/5", named("blocks.6")) == "it was fitted on blocks/6, and is put into blocks/5"
    )
    # A name that the network does not have says nothing, nor do weights of which only the shapes are known.
    assert describe_origin(model, "blocks/5", named("encoder.stage2")) is None
    outlined = replace(named("blocks/6"), record=DictionaryRecord(layer="blocks/6", weights_sha256="0" * 64))
    assert describe_origin(model, "blocks/6", outlined) is None
