"""Surveys, atlases and figures of latents, with no further word than the dictionary."""

import numpy as np
import pytest
from support.dictionaries import draw_autoencoder
from support.drawn import drawn_patterns

import featviz as fv
from featviz.dictionaries import Dictionary, DictionaryRecord
from featviz.dictionaries.kinds import NonnegativeFactors, TopKSae
from featviz.surveys.receptive_fields import receptive_fields


@pytest.fixture(scope="module")
def sae():
    arrays = draw_autoencoder(np.random.default_rng(0), units=20, latents=12)
    return Dictionary(TopKSae(**arrays, k=3), record=DictionaryRecord(file="sae.safetensors"))


@pytest.fixture(scope="module")
def latents(patterns, sae):
    return patterns.with_dictionary("conv1", sae)


def test_a_survey_is_of_the_latents(patterns, latents, sae, tmp_path):
    survey = fv.survey(latents, list(drawn_patterns(4)), out=tmp_path / "survey", size=32, progress=False)
    assert survey.layers == ("conv1/latents",)
    assert fv.open_survey(tmp_path / "survey", latents).layers == survey.layers
    with pytest.raises(fv.FeatvizError):
        fv.open_survey(tmp_path / "survey", patterns)


def test_a_receptive_field_is_that_of_the_layer(patterns, latents):
    images = drawn_patterns(2).astype(np.float32) / 255
    own = receptive_fields(latents, images, ("conv1/latents",))["conv1/latents"]
    assert own == receptive_fields(patterns, images, ("conv1",))["conv1"]


def test_an_atlas_has_the_latents(latents, tmp_path):
    atlas = fv.build_atlas(latents, out=tmp_path / "atlas", units={"conv1/latents": [5]}, size=24, steps=2)
    assert list(atlas.layers) == ["conv1/latents"]


def test_pictures_in_bfloat16_have_the_dictionary_in_single_precision(patterns):
    factors = np.abs(np.random.default_rng(0).normal(size=(4, 20))).astype(np.float32)
    code = NonnegativeFactors(components=factors, l1=np.float32(0), l2=np.float32(0))
    model = patterns.with_dictionary("conv1", Dictionary(code))
    picture = fv.render(model, fv.channel("conv1/latents", 1), size=24, steps=2, dtype="bfloat16", progress=False)
    assert np.isfinite(picture.score)
