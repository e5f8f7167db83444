"""What outputs do when a unit is held, against the edited network itself."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from support.dictionaries import draw_autoencoder
from support.surveys import IMAGES

import featviz as fv
from featviz.dictionaries import Dictionary
from featviz.dictionaries.kinds import ReluSae
from featviz.evaluation.output_changes import has_outputs, is_editable, network_outputs, output_change, with_unit_held
from featviz.model import OUTPUT

PHOTOS = IMAGES[:10]


def outputs_of(model):
    found = model.apply(model.weights, jnp.asarray(PHOTOS / np.float32(255)), layers=(OUTPUT,))
    return np.asarray(found[OUTPUT])


@pytest.fixture(scope="module")
def latents(tiny):
    arrays = draw_autoencoder(np.random.default_rng(0), units=8, latents=12)
    return tiny.with_dictionary("conv2", Dictionary(ReluSae(**arrays)))


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_stated_on_one_half_and_verified_on_the_other(latents, value):
    layer, unit = "conv2/latents", 4
    edited = latents.edited({layer: fv.clamp(unit, value)})
    changes = outputs_of(edited).astype(np.float64) - outputs_of(latents)
    before = network_outputs(latents, PHOTOS)
    np.testing.assert_allclose(before, outputs_of(latents), atol=1e-5)
    found = output_change(with_unit_held(latents, layer), layer, unit, value, PHOTOS, before)
    stated, verified = changes[::2].mean(0), changes[1::2].mean(0)
    assert set(found.outputs.tolist()) == set(np.argsort(-np.abs(stated))[:5].tolist())
    np.testing.assert_allclose(found.changes, stated[found.outputs], atol=1e-5)
    np.testing.assert_allclose(found.held_out_changes, verified[found.outputs], atol=1e-5)
    flips = outputs_of(edited).argmax(1) != outputs_of(latents).argmax(1)
    assert (found.flips, found.held_out_flips) == pytest.approx((flips[::2].mean(), flips[1::2].mean()))
    assert found.agreement == pytest.approx(np.corrcoef(stated, verified)[0, 1], abs=1e-3)


def test_edits_of_an_edited_network_stay(latents):
    layer = "conv2/latents"
    once = latents.edited({layer: fv.ablate([2])})
    held = with_unit_held(once, layer)
    twice = latents.edited({layer: [fv.ablate([2]), fv.ablate([4])]})
    before = network_outputs(once, PHOTOS)
    found = output_change(held, layer, 4, 0.0, PHOTOS, before)
    expected = (outputs_of(twice) - outputs_of(once))[::2].mean(0)
    np.testing.assert_allclose(found.changes, expected[found.outputs], atol=1e-5)


def test_which_networks_have_outputs(tiny, latents):
    assert has_outputs(tiny, (16, 16)) and has_outputs(latents, (16, 16))


def test_a_function_of_the_users_own_cannot_be_edited(tiny, latents):
    assert is_editable(latents)
    plain = replace(tiny, apply=lambda weights, images, layers=None: {"c": images})
    assert not is_editable(plain) and not has_outputs(plain, (16, 16))
