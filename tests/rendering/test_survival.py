"""What is left of a dictionary's latent in a picture that maximizes it."""

import numpy as np
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.dictionaries import Dictionary
from featviz.dictionaries.kinds import BatchTopKSae, ConceptVectors
from featviz.rendering.survival import survival


def make(patterns, threshold):
    arrays = draw_autoencoder(np.random.default_rng(0), units=20, latents=12)
    sae = Dictionary(BatchTopKSae(**arrays, threshold=np.float32(threshold), k=3))
    return patterns.with_dictionary("conv1", sae), sae


def test_the_record_has_the_share_of_positions_and_the_value(patterns):
    model, sae = make(patterns, 0.5)
    objective = fv.channel("conv1/latents", 4)
    picture = fv.render(model, objective, size=24, steps=3, progress=False)
    h = fv.observe(patterns, np.clip(picture.pixels, 0, 1), "conv1")
    latents = np.asarray(sae.encode(h))[..., 4]
    left = picture.provenance["latents"]["conv1/latents:4"]
    np.testing.assert_allclose(left["survives"], np.mean(latents > 0), atol=0.01)
    np.testing.assert_allclose(left["value"], latents.mean(), rtol=1e-3)
    row = np.asarray(sae.directions)[4]
    along = h @ row / np.linalg.norm(row)
    cosine = np.maximum(along / np.linalg.norm(h, axis=-1), 0.1)
    np.testing.assert_allclose(picture.score, (along * cosine).mean(), rtol=1e-3)


def test_a_threshold_that_nothing_passes_is_said(patterns):
    model, _ = make(patterns, 1e6)
    picture = fv.render(model, fv.channel("conv1/latents", 4), size=24, steps=3, progress=False)
    assert picture.provenance["latents"]["conv1/latents:4"] == {"survives": 0.0, "value": 0.0}
    # The direction has a gradient all the same.
    assert picture.outcome is not fv.Outcome.DEAD


def test_other_objectives_have_none(patterns):
    model, _ = make(patterns, 0.5)
    gray = np.full((24, 24, 3), 0.5, np.float32)
    assert survival(model, model.weights, fv.channel("conv1", 4), gray) == {}
    probe = Dictionary(ConceptVectors(vectors=np.eye(2, 20, dtype=np.float32), bias=np.ones(2, np.float32)))
    signed = patterns.with_dictionary("conv1", probe)
    assert survival(signed, signed.weights, fv.channel("conv1/latents", 1), gray) == {}


def test_a_picture_is_clipped_first(patterns):
    model, _ = make(patterns, 0.5)
    wild = np.random.default_rng(0).normal(0.5, 1, (24, 24, 3)).astype(np.float32)
    objective = fv.channel("conv1/latents", 4)
    left = survival(model, model.weights, objective, wild)
    assert left == survival(model, model.weights, objective, np.clip(wild, 0, 1))
    assert left["conv1/latents:4"]["survives"] > 0


def test_a_neuron_survives_at_its_position_or_not(patterns):
    model, _ = make(patterns, -1.0)
    gray = np.full((24, 24, 3), 0.5, np.float32)
    left = survival(model, model.weights, fv.neuron("conv1/latents", 4), gray)
    assert set(left) == {"conv1/latents:4@center"}
    assert left["conv1/latents:4@center"]["survives"] in (0.0, 1.0)
