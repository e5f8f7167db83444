"""A dictionary's latents as a layer of a network."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.dictionaries import Dictionary, DictionaryRecord, LayerNorm
from featviz.dictionaries.kinds import ConceptVectors, TopKSae
from featviz.errors import FeatvizError
from featviz.model import hash_architecture, hash_weights
from featviz.model.latent_layers import dictionary_of
from featviz.model.layer_patterns import block_layers
from featviz.objectives.minimization import for_ascent

UNITS = 20


def dictionary(seed=0, latents=30, k=4, **record):
    arrays = draw_autoencoder(np.random.default_rng(seed), units=UNITS, latents=latents)
    return Dictionary(TopKSae(**arrays, k=k), LayerNorm(), DictionaryRecord(**record))


@pytest.fixture
def latents(patterns):
    return patterns.with_dictionary("conv1", dictionary(file="sae.safetensors"))


def images(count=2):
    return np.random.default_rng(1).random((count, 32, 32, 3)).astype(np.float32)


def test_the_latents_are_those_of_the_layer(patterns, latents):
    found = latents.apply(latents.weights, images(), layers=["conv1/latents", "conv1/latents<before ReLU>"])
    h = patterns.apply(patterns.weights, images(), layers=["conv1"])["conv1"]
    assert set(found) == {"<image>", "conv1/latents", "conv1/latents<before ReLU>"}
    np.testing.assert_allclose(found["conv1/latents"], dictionary().encode(h), atol=1e-5)
    np.testing.assert_allclose(found["conv1/latents<before ReLU>"], dictionary().pre_activation(h), atol=1e-5)
    everything = latents.apply(latents.weights, images())
    assert set(everything) == {*patterns.apply(patterns.weights, images()), "conv1/latents"}


def test_the_layer_stands_behind_the_one_it_is_of(latents):
    names = [layer.name for layer in latents.layers]
    assert names.index("conv1/latents") == names.index("conv1") + 1
    layer = latents.layer("conv1/latents")
    assert layer.units == 30 and layer.parents == ("conv1",) and layer.rectified and layer.latents
    assert block_layers(latents) == [layer]


def test_only_the_network_behind_the_layer_is_run(latents):
    def count(layers):
        run = jax.make_jaxpr(lambda w, x: latents.apply(w, x, layers=layers))(latents.weights, images())
        return len(run.eqns)

    assert count(["conv1"]) < count(["conv1/latents"]) < count(["logits"])


def test_two_dictionaries_of_one_layer(latents):
    probe = Dictionary(ConceptVectors(vectors=np.eye(2, UNITS, dtype=np.float32), bias=np.ones(2, np.float32)))
    with pytest.raises(FeatvizError, match="`name` is `conv1/latents`, a layer that patterns has"):
        latents.with_dictionary("conv1", probe)
    both = latents.with_dictionary("conv1", probe, name="conv1/probes")
    found = both.apply(both.weights, images(), layers=("conv1/probes", "conv1/latents", "conv1"))
    np.testing.assert_allclose(found["conv1/probes"], found["conv1"][..., :2] + 1, rtol=1e-6)
    assert [each.name for each in block_layers(both)] == ["conv1/probes", "conv1/latents"]
    assert not both.layer("conv1/probes").rectified


def test_a_layer_of_latents_names_its_dictionary(patterns, latents):
    width = patterns.layer("conv2").units
    probe = Dictionary(ConceptVectors(vectors=np.eye(3, width, dtype=np.float32), bias=np.ones(3, np.float32)))
    second = latents.with_dictionary("conv2", probe)
    for model in (second, second.edited({"conv1/latents": fv.ablate([1])})):
        assert dictionary_of(model, "conv1/latents").latents == 30
        assert dictionary_of(model, "conv2/latents").latents == 3
        assert dictionary_of(model, "conv1") is None
    assert dictionary_of(patterns, "conv1") is None


def test_the_last_layer_stays_the_last(patterns):
    probe = Dictionary(ConceptVectors(vectors=np.eye(2, 58, dtype=np.float32), bias=np.ones(2, np.float32)))
    assert patterns.with_dictionary("logits", probe).layers[-1].name == "logits"


def test_what_does_not_fit_is_refused_in_one_line(patterns):
    with pytest.raises(
        FeatvizError, match="`dictionary` takes 20 units; conv2 of patterns has .*; layers of 20 units: "
    ):
        patterns.with_dictionary("conv2", dictionary())
    with pytest.raises(FeatvizError, match="patterns has no layer `conv9`"):
        patterns.with_dictionary("conv9", dictionary())
    with pytest.raises(FeatvizError, match="`dictionary` is a str; expected a Dictionary"):
        patterns.with_dictionary("conv1", "sae.safetensors")


def test_fingerprints_are_of_the_dictionary_and_not_of_its_record(patterns, latents):
    again = patterns.with_dictionary("conv1", dictionary(model="patterns", layer="conv1"))
    other = patterns.with_dictionary("conv1", dictionary(seed=1))
    assert hash_weights(latents.weights) == hash_weights(again.weights) != hash_weights(other.weights)
    assert jax.tree.structure(latents.weights) == jax.tree.structure(again.weights)
    assert hash_architecture(latents) == hash_architecture(other) != hash_architecture(patterns)


def test_pictures_follow_the_decoder_and_minimize_the_pre_activation(latents):
    assert for_ascent(latents, fv.channel("conv1/latents", 3)).layers == ("conv1/latents<along the decoder>",)
    mixed = fv.channel("conv1/latents", 3) - 0.5 * fv.channel("conv2", 1)
    assert for_ascent(latents, mixed).layers == ("conv1/latents<along the decoder>", "conv2")
    assert for_ascent(latents, -fv.channel("conv1/latents", 3)).layers == ("conv1/latents<before ReLU>",)


def test_what_is_maximized_is_the_direction_of_the_decoders_row(patterns, latents):
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    row = np.asarray(dictionary().directions)[3]
    expected = fv.direction("conv1", row / np.linalg.norm(row), power=1.0)
    found = for_ascent(latents, fv.channel("conv1/latents", 3))
    value = found(latents.apply(latents.weights, images, layers=found.layers))
    assert np.allclose(value, expected(patterns.apply(patterns.weights, images, layers=["conv1"])), rtol=1e-4)


def test_weights_of_the_network_alone_are_taken(patterns, latents):
    doubled = jax.tree.map(lambda leaf: 2 * leaf, patterns.weights)
    picture = fv.render(latents, fv.channel("conv1/latents", 3), size=24, steps=2, weights=doubled, progress=False)
    whole = latents.weights._replace(network=doubled)
    same = fv.render(latents, fv.channel("conv1/latents", 3), size=24, steps=2, weights=whole, progress=False)
    np.testing.assert_array_equal(picture.pixels, same.pixels)
    watch = fv.Watch(latents, fv.channel("conv1/latents", 3), every=1, size=16, steps=2, progress=False)
    (first,) = watch(0, {"step": 1, "params": patterns.weights["params"]})
    assert first.pixels.shape == (16, 16, 3)


def test_a_network_with_a_dictionary_in_no_file_has_no_command(patterns, latents):
    assert latents.source["dictionary"] == "conv1=sae.safetensors"
    picture = fv.render(latents, fv.channel("conv1/latents", 3), size=24, steps=2, progress=False)
    assert "--dictionary conv1=sae.safetensors" in picture.provenance["command"]
    assert picture.provenance["network"]["dictionaries"][0]["latents"] == "conv1/latents"
    alone = patterns.with_dictionary("conv1", replace(dictionary(), record=DictionaryRecord()))
    picture = fv.render(alone, fv.channel("conv1/latents", 3), size=24, steps=2, progress=False)
    assert picture.provenance["command"] is None
