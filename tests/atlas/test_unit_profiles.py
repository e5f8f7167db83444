"""Profiles of units: what photographs say of a latent, and that suppressing it does what its page says."""

import numpy as np
import pytest
from support.dictionaries import draw_autoencoder
from support.surveys import IMAGES

import featviz as fv
from featviz.atlas.photo_crops import crop_examples
from featviz.atlas.unit_profiles import firing_photos, layer_profile, unit_profile
from featviz.circuits.co_activation import firing
from featviz.dictionaries import Dictionary
from featviz.dictionaries.kinds import TopKSae
from featviz.evaluation.features import Features
from featviz.evaluation.monosemanticity import monosemanticity

LAYER = "conv2/latents"


@pytest.fixture(scope="module")
def latents(tiny):
    arrays = draw_autoencoder(np.random.default_rng(0), units=8, latents=12)
    return tiny.with_dictionary("conv2", Dictionary(TopKSae(**arrays, k=3)))


@pytest.fixture(scope="module")
def made(latents, tmp_path_factory):
    return fv.survey(latents, IMAGES[:60], out=tmp_path_factory.mktemp("s") / "s", layers=[LAYER], progress=False)


@pytest.fixture(scope="module")
def profile(made, patterns):
    return layer_profile(made, LAYER, list(range(1, 12)), other=Features(patterns, "conv1"), effects=True)


def record(profile, unit):
    crops = crop_examples(profile.survey, {unit: firing_photos(profile, unit)})[unit]
    return unit_profile(profile, unit, crops)


def test_figures_are_those_of_the_survey(profile, made, patterns):
    maxima = made.maxima(LAYER)
    unit = int((maxima[:, 1:] > 0).sum(0).argmax()) + 1
    found, column = record(profile, unit), maxima[:, unit]
    assert found.active_mean == pytest.approx(column[column > 0].mean(), rel=1e-5)
    assert 0 < found.position_density < 1 and found.position_photos == 60
    embeddings = Features(patterns, "conv1")(IMAGES[:60])
    assert found.monosemanticity == pytest.approx(monosemanticity(maxima, embeddings)[unit], abs=1e-5)
    fires = firing(maxima)
    for link in found.co_active:
        both, either = fires[:, unit] & fires[:, link.unit], fires[:, unit] | fires[:, link.unit]
        assert link.layer == LAYER and link.strength == pytest.approx(both.sum() / either.sum(), abs=1e-6)
    assert [fired.crop.activation for fired in found.fired_on] == sorted(column)[::-1][: len(found.fired_on)]
    for fired in found.fired_on:
        np.testing.assert_array_equal(fired.crop.pixels, made.photo(made.names.index(fired.crop.photo)))
        assert fired.heat.max() == 255 and fired.heat.shape == (8, 8)


def test_suppressing_does_on_held_out_photographs_what_is_stated(profile, latents, made):
    unit = int((made.maxima(LAYER)[:, 1:] > 0).sum(0).argmax()) + 1
    suppressed, held = record(profile, unit).held
    assert (suppressed.value, suppressed.photos, suppressed.held_out) == (0.0, 8, 8)
    assert held.value == pytest.approx(made.maxima(LAYER)[:, unit].max())
    order = np.argsort(-made.maxima(LAYER)[:, unit], kind="stable")[:16]
    edited = latents.edited({LAYER: fv.ablate([unit])})
    before, after = (
        np.stack([fv.observe(model, IMAGES[index] / np.float32(255), "fc") for index in order])
        for model in (latents, edited)
    )
    for output in suppressed.outputs:
        stated, verified = ((after - before)[half, output.index].mean() for half in (slice(0, 16, 2), slice(1, 16, 2)))
        assert output.change == pytest.approx(stated, abs=1e-5)
        assert output.held_out_change == pytest.approx(verified, abs=1e-5)
        # The verdict of the page: on photographs that had no part in it the output changes in the same direction.
        assert np.sign(output.held_out_change) == np.sign(output.change)
    assert suppressed.agreement > 0.9


def test_a_silent_unit_has_an_empty_profile(tiny, tmp_path):
    arrays = draw_autoencoder(np.random.default_rng(0), units=8, latents=4)
    arrays["encoder_bias"] = np.full(4, -1e6, np.float32)
    silent = tiny.with_dictionary("conv2", Dictionary(TopKSae(**arrays, k=2)))
    made = fv.survey(silent, IMAGES[:5], out=tmp_path / "s", layers=[LAYER], progress=False)
    found = record(layer_profile(made, LAYER, range(4), effects=True), 2)
    assert found.active_mean is None and found.position_density == 0 and found.monosemanticity is None
    assert found.fired_on == found.co_active == found.classes == found.held == ()
