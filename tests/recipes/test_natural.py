"""Recipes with a natural prior: one number, the command that makes the picture again, what they refuse."""

import shlex
from dataclasses import replace

import numpy as np
import pytest
from support.denoisers import write_denoiser
from support.tiny import SMALL, Tiny, build

import featviz as fv
from featviz.cli.options.recipe_options import with_prior
from featviz.errors import FeatvizError
from featviz.parameterizations import Alpha
from featviz.pictures.command import recipe_options
from featviz.priors import Denoised, Guided
from featviz.recipes import by_name, default, denoised, guided
from featviz.regularizers import Fidelity

MODEL = build()
UNIT = fv.channel("conv2/relu", 3)


@pytest.fixture
def file(tmp_path):
    return write_denoiser(tmp_path)


def weighed(recipe, natural, file=None):
    return replace(recipe, prior=replace(recipe.prior, natural=natural, file=file))


def test_denoised_without_a_share_is_the_default(tmp_path):
    # Not even a file is read.
    none = fv.render(MODEL, UNIT, recipe=weighed(denoised, 0.0, str(tmp_path / "none")), **SMALL)
    plain = fv.render(MODEL, UNIT, recipe="default", **SMALL)
    np.testing.assert_array_equal(none.pixels, plain.pixels)
    assert "prior" not in none.provenance and none.provenance["command"] == plain.provenance["command"]


@pytest.mark.parametrize("name", ["guided", "denoised"])
def test_the_share_counts(name, file):
    pictures = [fv.render(MODEL, UNIT, recipe=weighed(by_name(name), share, file), **SMALL) for share in (0.2, 0.8)]
    assert np.abs(pictures[0].pixels - pictures[1].pixels).max() > 1e-3


def test_all_natural_is_the_prior_alone(file):
    one, other = (
        fv.render(build(seed=seed), UNIT, recipe=weighed(guided, 1.0, file), **SMALL).pixels for seed in (0, 1)
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_provenance_names_the_weights_by_their_hash(file, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    records = [
        fv.render(MODEL, UNIT, recipe=weighed(guided, 0.5, each), **SMALL).provenance
        for each in (file, write_denoiser(other, seed=1))
    ]
    assert [record["prior"]["file"] for record in records] == ["own.safetensors"] * 2
    assert len({record["prior"]["sha256"] for record in records}) == 2
    # A path is nobody's business.
    assert str(tmp_path) not in str(records)


@pytest.mark.parametrize("name", ["guided", "denoised"])
def test_options_make_the_recipe_again(name, file, tmp_path):
    recipe = by_name(name)
    assert recipe_options(name, recipe) == ["--recipe", name]
    changed = weighed(recipe, 0.25, file)
    assert recipe_options(name, changed) == ["--recipe", name, "--natural", "0.25", "--prior", "own.safetensors"]
    assert with_prior(recipe, 0.25, tmp_path / "own.safetensors") == changed
    assert recipe_options(name, replace(recipe, prior=replace(recipe.prior, largest=0.7))) is None
    assert recipe_options("default", changed) is None


def test_the_command_makes_the_picture_again(tmp_path, monkeypatch, file):
    from featviz.cli.main import run
    from featviz.pictures.picture import load_picture

    monkeypatch.chdir(tmp_path)
    patterns = fv.load("patterns")
    picture = fv.render(patterns, fv.channel("conv1", 3), recipe=weighed(guided, 0.25, file), **SMALL)
    words = shlex.split(picture.provenance["command"])
    assert words[:2] == ["featviz", "render"] and "--natural" in words
    run(words[1:])
    again = load_picture(words[-1])
    assert again.provenance["prior"] == picture.provenance["prior"]
    np.testing.assert_array_equal(again.pixels, np.rint(picture.pixels * 255).astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        (weighed(guided, 1.5), "`natural` is 1.5; expected a number from 0 to 1"),
        (weighed(guided, float("nan")), "`natural` is nan"),
        (replace(guided, fidelity=Fidelity()), "a prior and fidelity"),
        (replace(denoised, parameterization=Alpha()), "a prior and an alpha channel"),
        (weighed(guided, 0.5, "none.safetensors"), "`none.safetensors`, which does not exist"),
    ],
)
def test_what_does_not_go_together_is_one_line(recipe, line):
    with pytest.raises(FeatvizError, match=line) as caught:
        fv.render(MODEL, UNIT, recipe=recipe, **SMALL)
    assert "\n" not in str(caught.value)


def test_a_recipe_without_a_prior_has_no_share():
    with pytest.raises(FeatvizError, match="--natural is for a recipe with a prior"):
        with_prior(default, 0.5, None)


@pytest.mark.parametrize("recipe", [guided, denoised])
def test_gray_networks_draw_and_those_of_five_channels_are_refused(recipe, file):
    gray = fv.render(build(Tiny(), channels=1), UNIT, recipe=weighed(recipe, 0.5, file), **SMALL)
    assert gray.pixels.shape == (16, 16, 1) and np.isfinite(gray.pixels).all()
    with pytest.raises(FeatvizError, match="the network takes 5"):
        fv.render(build(Tiny(), channels=5), UNIT, recipe=weighed(recipe, 0.5, file), **SMALL)


def test_priors_are_equal_by_their_numbers():
    assert Guided() == Guided(0.5) != Guided(0.4) and Denoised() != Guided()
