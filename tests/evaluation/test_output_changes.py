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
from featviz.evaluation.output_changes import has_outputs, is_editable, network_outputs, output_change
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
    edited = latents.edited({"conv2/latents": fv.clamp(4, value)})
    before, after = network_outputs(latents, PHOTOS), network_outputs(edited, PHOTOS)
    np.testing.assert_allclose(before, outputs_of(latents), atol=1e-5)
    changes = outputs_of(edited).astype(np.float64) - outputs_of(latents)
    found = output_change(value, after, before)
    stated, verified = changes[::2].mean(0), changes[1::2].mean(0)
    assert set(found.outputs.tolist()) == set(np.argsort(-np.abs(stated))[:5].tolist())
    np.testing.assert_allclose(found.changes, stated[found.outputs], atol=1e-5)
    np.testing.assert_allclose(found.held_out_changes, verified[found.outputs], atol=1e-5)
    flips = outputs_of(edited).argmax(1) != outputs_of(latents).argmax(1)
    assert (found.flips, found.held_out_flips) == pytest.approx((flips[::2].mean(), flips[1::2].mean()))
    assert found.agreement == pytest.approx(np.corrcoef(stated, verified)[0, 1], abs=1e-3)


def test_which_networks_have_outputs(tiny, latents):
    assert has_outputs(tiny, (16, 16)) and has_outputs(latents, (16, 16))


def test_a_function_of_the_users_own_cannot_be_edited(tiny, latents):
    assert is_editable(latents)
    plain = replace(tiny, apply=lambda weights, images, layers=None: {"c": images})
    assert not is_editable(plain) and not has_outputs(plain, (16, 16))
