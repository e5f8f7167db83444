"""The layers of latents of a network, with or without edits around them."""

import numpy as np
import pytest
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.dictionaries import Dictionary, LayerNorm
from featviz.dictionaries.kinds import TopKSae
from featviz.model import hash_weights
from featviz.model.latent_layers import (
    apply_without_latents,
    dictionary_of,
    encoded_layer,
    find_dictionary,
    latent_layers,
)
from featviz.pictures.provenance import describe_dream


def dictionary(latents):
    arrays = draw_autoencoder(np.random.default_rng(latents), units=20, latents=latents)
    return Dictionary(TopKSae(**arrays, k=4), LayerNorm())


@pytest.fixture(params=["plain", "edited"])
def model(patterns, request):
    found = patterns.with_dictionary("conv1", dictionary(30)).with_dictionary("conv1", dictionary(12), name="few")
    return found.edited({"mixed3a": fv.ablate(2)}) if request.param == "edited" else found


def test_each_layer_of_latents_comes_with_its_dictionary(model):
    found = [(apply.name, apply.layer, basis.latents) for apply, basis in latent_layers(model.apply, model.weights)]
    assert found == [("few", "conv1", 12), ("conv1/latents", "conv1", 30)]
    assert find_dictionary(model.apply, model.weights, "conv1/latents").latents == 30
    assert dictionary_of(model, "few").latents == 12 and dictionary_of(model, "conv1") is None


def test_latents_are_of_the_layer_that_they_encode(patterns, model):
    assert [encoded_layer(model, name) for name in ("few", "conv1/latents", "conv1", "mixed3a")] == [
        *("conv1", "conv1", "conv1", "mixed3a")
    ]
    alone = apply_without_latents(model.apply)
    assert alone is not model.apply and not list(latent_layers(alone, patterns.weights))
    assert apply_without_latents(patterns.apply) is patterns.apply


def test_a_picture_records_the_dictionaries_of_an_edited_network(model):
    record = describe_dream(model, fv.channel("few", 3), {}, weights_sha256="", size=(32, 32))
    recorded = record["network"]["dictionaries"]
    assert [entry["latents"] for entry in recorded] == ["few", "conv1/latents"]
    assert recorded[1]["dictionary_sha256"] == hash_weights(dictionary_of(model, "conv1/latents"))
