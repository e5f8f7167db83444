"""Edits of a dictionary's latents: the network goes on from the layer with the reconstruction's error kept."""

import numpy as np
import pytest
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.dictionaries import Dictionary, LayerNorm
from featviz.dictionaries.kinds import TopKSae
from featviz.errors import FeatvizError
from featviz.model import OUTPUT

IMAGES = np.random.default_rng(1).random((2, 64, 64, 3)).astype(np.float32)
LATENTS = "conv1/latents"


@pytest.fixture(scope="module")
def dictionary():
    arrays = draw_autoencoder(np.random.default_rng(0), units=20, latents=30)
    return Dictionary(TopKSae(**arrays, k=4), LayerNorm())


@pytest.fixture(scope="module")
def model(patterns, dictionary):
    return patterns.with_dictionary("conv1", dictionary)


def run(model, *layers, images=IMAGES):
    return {name: np.asarray(each) for name, each in model.apply(model.weights, images, layers=layers).items()}


def test_an_ablated_latent_leaves_the_layer_without_its_part(patterns, dictionary, model):
    h = run(model, "conv1")["conv1"]
    z = np.array(dictionary.encode(h))
    unit = int(z.mean((0, 1, 2)).argmax())
    changed = z.copy()
    changed[..., unit] = 0
    expected = h + np.asarray(dictionary.decode(changed, like=h)) - np.asarray(dictionary.decode(z, like=h))
    edited = model.edited({LATENTS: fv.ablate(unit)})
    values = run(edited, "conv1", LATENTS, OUTPUT)
    np.testing.assert_allclose(values["conv1"], expected, atol=1e-4)
    np.testing.assert_allclose(values[LATENTS], changed, atol=1e-4)
    by_hand = patterns.edited({"conv1": fv.patch_in(expected[0])})
    np.testing.assert_allclose(values[OUTPUT][0], run(by_hand, OUTPUT, images=IMAGES[:1])[OUTPUT][0], atol=1e-3)
    assert np.abs(values[OUTPUT] - run(model, OUTPUT)[OUTPUT]).max() > 1e-3


def test_nothing_changes_where_latents_stay_as_they_are(model):
    edited = model.edited({LATENTS: fv.scale(3, 1.0)})
    np.testing.assert_allclose(run(edited, OUTPUT)[OUTPUT], run(model, OUTPUT)[OUTPUT], atol=1e-4)


def test_one_function_serves_every_latent_and_edits_add_up(model):
    first, second = model.edited({LATENTS: fv.ablate(1)}), model.edited({LATENTS: fv.ablate(2)})
    assert first.apply is second.apply
    both = first.edited({"conv2": fv.ablate([0]), LATENTS: fv.clamp(5, 3.0)})
    values = run(both, LATENTS, "conv2")
    assert (values[LATENTS][..., 5] == 3.0).all() and (values[LATENTS][..., 1] == 0).all()
    assert (values["conv2"][..., 0] == 0).all()
    with pytest.raises(FeatvizError, match="`units` has 30; conv1/latents has 30 units"):
        model.edited({LATENTS: fv.ablate(30)})


def test_an_edited_network_takes_a_dictionary(patterns, dictionary):
    edited = patterns.edited({"conv1": fv.ablate([0])}).with_dictionary("conv1", dictionary)
    assert (run(edited, "conv1")["conv1"][..., 0] == 0).all()
    again = edited.edited({LATENTS: fv.ablate(4)})
    assert (run(again, LATENTS)[LATENTS][..., 4] == 0).all()


def test_a_decision_is_divided_among_latents(model, dictionary):
    why = fv.attribute(model, IMAGES[0], fv.logit(3), layer=LATENTS, method=fv.attribution.Ablation())
    unit = int(np.abs(why.units[0]).argmax())
    edited = model.edited({LATENTS: fv.ablate(unit)})
    lost = run(model, OUTPUT)[OUTPUT][0, 3] - run(edited, OUTPUT)[OUTPUT][0, 3]
    np.testing.assert_allclose(why.units[0, unit], lost, atol=1e-3)
