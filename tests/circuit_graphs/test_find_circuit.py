"""A circuit holds the strongest links, each tested by ablation of the unit below."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from support.dictionaries import draw_autoencoder
from support.surveys import refused
from support.tiny import build

import featviz as fv
from featviz.circuit_graphs.circuit_parts import CircuitUnit, Verdict
from featviz.circuit_graphs.find_circuit import circuit
from featviz.circuits.unit_std import unit_std
from featviz.dictionaries.kinds import TopKSae


@pytest.fixture(scope="module")
def model():
    return fv.load("patterns")


def test_the_links_are_the_strongest_weights(model, noise, found):
    weights = fv.weights_between(model, "mixed3a", "mixed3b", units=[5]).strengths[0]
    weights = weights * unit_std(model, ["mixed3a"], images=noise)["mixed3a"]
    expected = np.argsort(-np.abs(weights), kind="stable")[:4]
    edges = found.inputs(found.root)
    assert [edge.source for edge in edges] == [CircuitUnit("mixed3a", int(unit)) for unit in expected]
    largest = np.abs(weights).max()
    np.testing.assert_allclose([edge.strength for edge in edges], weights[expected] / largest, rtol=1e-4)
    assert max(np.abs(edge.map).max() for edge in edges) == 1
    # The inputs have inputs of their own, two each, from the layer below.
    for edge in edges:
        assert len(found.inputs(edge.source)) == 2
        assert {each.source.layer for each in found.inputs(edge.source)} == {"conv2"}
    assert {edge.source for edge in found.edges} == {unit for level in found.levels[1:] for unit in level}


def test_by_default_a_unit_is_made_of_units_of_the_networks_blocks(model):
    found = circuit(model, "mixed4a", 7, depth=1, inputs=4, families=0, draw=False, progress=False)
    assert len(found.edges) == 4 and {edge.source.layer for edge in found.edges} == {"mixed3b"}


def test_a_latent_is_made_of_the_units_that_its_encoder_weighs_and_these_of_the_network(model):
    arrays = draw_autoencoder(np.random.default_rng(0), units=48, latents=60)
    # So few of them are left that most have no gradient.
    latents = model.with_dictionary("mixed3a", fv.Dictionary(TopKSae(**arrays, k=1)))
    weights = fv.weights_between(latents, "mixed3a", "mixed3a/latents", units=[7, 8]).maps
    np.testing.assert_allclose(weights[:, 0, 0], arrays["encoder"].T[[7, 8]], rtol=1e-4, atol=1e-5)
    found = circuit(latents, "mixed3a/latents", 7, inputs=4, draw=False, progress=False)
    assert [{unit.layer for unit in level} for level in found.levels] == [{"mixed3a/latents"}, {"mixed3a"}, {"conv2"}]


def test_what_an_edge_says_is_what_an_edited_network_computes(model, noise, found):
    edge = found.inputs(found.root)[0]
    layer, unit = found.root
    before = np.asarray(model.apply(model.weights, noise, layers=(layer,))[layer])[..., unit].reshape(len(noise), -1)
    edited = model.edited({edge.source.layer: fv.ablate([edge.source.unit])})
    after = np.asarray(edited.apply(edited.weights, noise, layers=(layer,))[layer])[..., unit].reshape(len(noise), -1)
    place, rows = before.argmax(1), np.arange(len(noise))
    change = (before.max(1) - after[rows, place]) / np.maximum(before.max(1), 1e-12)
    firing = before.max(1) > 0
    assert edge.effect is not None and edge.effect.photos == firing.sum() and found.photos == len(noise)
    assert edge.effect.contribution == pytest.approx(change[firing].mean(), rel=1e-3, abs=1e-5)
    assert edge.effect.low <= edge.effect.contribution <= edge.effect.high


def test_without_photos_nothing_is_tested(model):
    made = circuit(model, "mixed3a", 40, layers=["conv2"], depth=1, inputs=2, families=0, progress=False)
    assert {edge.verdict for edge in made.edges} == {Verdict.UNTESTED} and made.families == ()


def test_wrong_units_layers_and_photos_are_refused(model, tmp_path):
    refused("mixed3a has 48 units", circuit, model, "mixed3a", 48)
    refused("is computed from none of the other layers, mixed3a", circuit, model, "conv1", 0, layers=["mixed3a"])
    refused("has no layer", circuit, model, "mixed9", 0)
    refused("`depth`", circuit, model, "mixed3a", 0, depth=9)
    refused("`photos`", circuit, model, "mixed3a", 0, photos=[], progress=False)


def test_weights_that_are_not_finite_are_refused():
    tiny = build()
    broken = replace(tiny, weights=jax.tree.map(lambda values: values * np.nan, tiny.weights))
    refused("from conv1 to conv2 are not finite", circuit, broken, "conv2", 1, layers=["conv1"], progress=False)
