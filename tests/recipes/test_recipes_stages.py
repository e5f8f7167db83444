"""Stages: sizes, what is carried from one to the next, and histories."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

import featviz as fv
from featviz.optimizers import SGD, Adam
from featviz.parameterizations import RawPixels
from featviz.recipes import Carry, Recipe, Stage
from featviz.regularizers import (
    GaussianNoise,
)
from featviz.rendering.stages import resize


class TestStages:
    recipe = Recipe(
        parameterization=RawPixels(sd=0.1),
        optimizer=SGD(0.0),
        steps=4,
        redirect_steps=0,
        stages=(Stage(0.5, 2), Stage(1.0, 2)),
    )

    def draw(self, patterns, recipe, **options):
        return fv.render(patterns, fv.channel("conv1", 3), recipe=recipe, size=32, progress=False, **options)

    def test_without_steps_an_image_is_enlarged_and_a_detail_is_nothing(self, patterns):
        start = np.random.default_rng(0).random((32, 32, 3), np.float32)
        image = self.draw(patterns, self.recipe, start=start).pixels
        np.testing.assert_allclose(image, resize(resize(start[None], (16, 16)), (32, 32))[0], atol=1e-6)
        detail = self.draw(patterns, replace(self.recipe, carry=Carry.DETAIL), start=start).pixels
        np.testing.assert_allclose(detail, start, atol=1e-6)

    def test_all_stages_are_in_the_history_and_draw_anew(self, patterns):
        moving = replace(self.recipe, optimizer=Adam(0.01), transforms=(GaussianNoise(0.5),))
        picture = self.draw(patterns, moving, steps=8)
        assert len(picture.history) == 8 and picture.history[4] != picture.history[0]

    def test_a_picture_is_the_same_alone_and_among_others(self, patterns):
        moving = replace(self.recipe, optimizer=Adam(0.01), carry=Carry.DETAIL)
        options = {"recipe": moving, "size": 32, "progress": False}
        several = fv.render(patterns, fv.channel("conv1", range(5)), **options)
        for number in (0, 3, 4):
            alone = fv.render(patterns, fv.channel("conv1", number), **options)
            np.testing.assert_array_equal(alone.pixels, several[number].pixels)
            np.testing.assert_array_equal(alone.history, several[number].history)

    def test_resizing_is_scipys(self):
        images = np.random.default_rng(0).random((2, 7, 9, 3)).astype(np.float32)
        np.testing.assert_allclose(resize(images, (14, 9)), ndimage.zoom(images, (1, 2, 1, 1), order=1), atol=1e-6)
