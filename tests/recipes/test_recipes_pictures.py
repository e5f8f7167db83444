"""Every recipe draws; transparency, groups and alpha."""

from dataclasses import replace

import numpy as np
import pytest
from support.denoisers import write_denoiser

import featviz as fv
from featviz.ascent.outcome import Outcome
from featviz.errors import FeatvizError
from featviz.optimizers import Adam
from featviz.parameterizations import Alpha, RawPixels
from featviz.recipes import RECIPES, Recipe, by_name
from featviz.regularizers import (
    Background,
    Jitter,
    Pad,
    RandomCrop,
    Roll,
    ShrinkingCrop,
)


@pytest.mark.parametrize("name", RECIPES)
def test_each_draws(name, patterns, tmp_path):
    recipe = by_name(name)
    if recipe.prior is not None:
        recipe = replace(recipe, prior=replace(recipe.prior, file=write_denoiser(tmp_path)))
    # Views of a size of their own are as large as the pictures here.
    small = tuple(
        replace(t, output_size=32) if isinstance(t, ShrinkingCrop | RandomCrop) else t for t in recipe.transforms
    )
    # Of its stages the first and the last.
    stages = recipe.stages[:: max(len(recipe.stages) - 1, 1)]
    recipe = replace(recipe, transforms=small, samples=min(recipe.samples, 2), stages=stages)
    size = 64 if any(isinstance(t, Jitter | Pad) for t in recipe.transforms) else 40
    # das_2025 moves slowly: after 24 steps its picture is still its starting noise, and says so.
    steps = 48 if name == "das_2025" else 12
    picture = fv.render(patterns, fv.channel("conv2", 3), recipe=recipe, size=size, steps=steps, progress=False)
    assert picture.outcome in (Outcome.OUT_OF_STEPS, Outcome.CONVERGED)
    assert picture.pixels.shape == (size, size, 3) and np.isfinite(picture.pixels).all()
    assert picture.pixels.min() >= 0 and picture.pixels.max() <= 1 and picture.pixels.std() > 0.01
    # Shared out among stages, steps are rounded.
    assert len(picture.history) == steps or recipe.stages
    assert (picture.alpha is not None) == recipe.transparency


def test_transparency_shows_where_the_gradient_was(patterns):
    # Only the left half of the picture is seen.
    from featviz.regularizers import Window

    recipe = replace(fv.recipes.default, transforms=(Window(0.5, spread=0.0),), parameterization=RawPixels(sd=0.1))
    picture = fv.render(
        patterns, fv.channel("conv1", 3), recipe=recipe, size=64, steps=8, transparency=True, progress=False
    )
    inside = picture.alpha[16:48, 16:48]
    assert inside.mean() > 0.5 and picture.alpha.sum() == pytest.approx(inside.sum())
    bare = fv.render(patterns, fv.channel("conv1", 3), recipe=recipe, size=64, steps=8, progress=False)
    np.testing.assert_array_equal(bare.pixels, picture.pixels)


def test_a_group_is_drawn_together(patterns):
    options = {"size": 32, "steps": 8, "progress": False}
    pictures = fv.render_group(patterns, fv.channel("conv2", 3), group_size=3, **options)
    assert len({picture.pixels.tobytes() for picture in pictures}) == 3
    assert [picture.provenance["image"] for picture in pictures] == [0, 1, 2]
    assert all(picture.score > picture.history[0] for picture in pictures)


class TestAlpha:
    recipe = Recipe(
        parameterization=Alpha(), transforms=(Background(), Roll(4)), optimizer=Adam(0.05), steps=24, redirect_steps=0
    )

    def test_the_picture_has_an_alpha_of_its_own(self, patterns):
        picture = fv.render(patterns, fv.channel("conv2", 3), recipe=self.recipe, size=48, progress=False)
        assert picture.pixels.shape == (48, 48, 3) and picture.alpha.shape == (48, 48)
        assert picture.alpha.min() >= 0 and picture.alpha.max() <= 1
        # Of what is seen over gray.
        seen = picture.pixels * picture.alpha[..., None] + 0.5 * (1 - picture.alpha[..., None])
        found = patterns.apply(patterns.weights, seen[None].astype(np.float32), layers=("conv2",))
        assert picture.score == pytest.approx(float(fv.channel("conv2", 3)(found)[0]), rel=1e-3)
        assert picture.score > picture.history[0]

    def test_what_the_unit_does_not_need_becomes_transparent(self, patterns):
        neuron = fv.neuron("conv1", 3, position=(8, 8))
        picture = fv.render(patterns, neuron, recipe=self.recipe, size=48, steps=64, progress=False)
        near, far = picture.alpha[12:22, 12:22].mean(), picture.alpha[32:, 32:].mean()
        assert far < near

    def test_without_a_background_it_is_refused(self, patterns):
        bare = replace(self.recipe, transforms=())
        with pytest.raises(FeatvizError, match="needs `Background"):
            fv.render(patterns, fv.channel("conv2", 3), recipe=bare, size=48, progress=False)
