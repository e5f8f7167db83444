"""Outputs with a unit held, run from its layer on, against the whole network with an edit."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.dictionaries import draw_autoencoder
from support.surveys import IMAGES

import featviz as fv
from featviz.adapters.network_apply import TracedApply
from featviz.dictionaries import Dictionary, LayerNorm
from featviz.dictionaries.kinds import BatchTopKSae, ReluSae, TopKSae
from featviz.evaluation import held_outputs as module
from featviz.evaluation.features import fit
from featviz.evaluation.held_outputs import Held, held_outputs
from featviz.model import OUTPUT

PHOTOS = IMAGES[:40]
# More than a batch in all, of several units on several numbers of photographs.
ASKED = [
    Held(4, 0.0, tuple(range(12))),
    Held(4, 3.5, tuple(range(12))),
    Held(7, 1.0, (39, 3, 20)),
    Held(0, 0.0, (5,)),
]


def draw(kind=ReluSae, *, units=8, latents=12, **options):
    return Dictionary(kind(**draw_autoencoder(np.random.default_rng(0), units=units, latents=latents), **options))


def edited_outputs(model, layer, held, photos=PHOTOS):
    """The outputs of the whole network with an edit, one photograph at a time."""
    edited = model.edited({layer: fv.clamp(held.unit, held.value)})
    images = jnp.asarray(photos[list(held.photos)] / np.float32(255))
    return np.asarray(edited.apply(edited.weights, images, layers=(OUTPUT,))[OUTPUT])


def check(model, layer, asked=ASKED, photos=PHOTOS):
    found = list(held_outputs(model, layer, asked, photos.__getitem__, photos.shape[1:3]))
    assert [len(each) for each in found] == [len(held.photos) for held in asked]
    expected = [edited_outputs(model, layer, held, photos) for held in asked]
    scale = max(np.abs(each).max() for each in expected)
    for each, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(each, other, atol=1e-5 * scale)
    plain = np.asarray(model.apply(model.weights, jnp.asarray(photos / np.float32(255)), layers=(OUTPUT,))[OUTPUT])
    assert max(np.abs(each - plain[list(held.photos)]).max() for each, held in zip(found, asked, strict=True)) > 1e-3


@pytest.mark.parametrize(
    "dictionary",
    [
        draw(),
        draw(TopKSae, k=3),
        replace(draw(BatchTopKSae, threshold=np.float32(0.2), k=3), normalization=LayerNorm()),
    ],
)
def test_latents(tiny, dictionary):
    check(tiny.with_dictionary("conv2", dictionary), "conv2/latents")


def test_units_of_a_layer_itself(tiny):
    check(tiny, "conv2")
    check(tiny, "fc")


def test_what_fits_into_memory_decides_nothing(tiny, monkeypatch):
    latents = tiny.with_dictionary("conv2", draw())
    whole = list(held_outputs(latents, "conv2/latents", ASKED, PHOTOS.__getitem__, (16, 16)))
    monkeypatch.setattr(module, "MEMORY", 1)
    parts = list(held_outputs(latents, "conv2/latents", ASKED, PHOTOS.__getitem__, (16, 16)))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_edits_that_the_network_has_stay(tiny):
    latents = tiny.with_dictionary("conv2", draw())
    check(latents.edited({"conv2/latents": fv.ablate([2]), "conv1": fv.scale(None, 0.5)}), "conv2/latents")
    both = latents.with_dictionary("conv1", draw(units=80, latents=30))
    check(both.edited({"conv2/latents": fv.ablate([2])}), "conv1/latents")


def test_a_network_that_takes_one_image_at_a_time(tiny):
    assert isinstance(tiny.apply, TracedApply)
    single = replace(tiny.apply, network=tiny.apply.network._replace(single_image=True))
    check(replace(tiny, apply=single).with_dictionary("conv2", draw()), "conv2/latents")


def test_the_network_below_the_layer_runs_once_for_a_photograph(tiny, monkeypatch):
    calls = []
    real = module._below
    monkeypatch.setattr(module, "_below", lambda *args: calls.append(args[3]) or real(*args))
    latents = tiny.with_dictionary("conv2", draw())
    list(held_outputs(latents, "conv2/latents", ASKED, PHOTOS.__getitem__, (16, 16)))
    assert len(calls) == 1


@pytest.mark.parametrize(("name", "layer", "units"), [("googlenet", "inception_4c", 512), ("deit", "blocks/6", 192)])
def test_real_networks(name, layer, units, request, photos):
    model = request.getfixturevalue(name)
    images = np.stack([fit(np.asarray(Image.open(path).convert("RGB")), (224, 224)) for path in photos[:4]])
    asked = [Held(5, 0.0, (0, 1, 3)), Held(5, 4.0, (0, 1, 3)), Held(61, 2.0, (2,))]
    check(model.with_dictionary(layer, draw(units=units, latents=64)), f"{layer}/latents", asked, images)
