"""A picture is shown as it forms, and ends as render gives it."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.tiny import SMALL

import featviz as fv
from featviz.recipes import Recipe, Stage

TARGETS = [fv.channel("conv1", 3), fv.channel("conv1", 7), fv.logit(2)]


def test_a_stream_ends_in_the_picture_that_render_gives(tiny):
    options = {**SMALL, "steps": 19, "seed": 3}
    forming = list(fv.stream(tiny, TARGETS[0], every=8, **options))
    assert [len(picture.history) for picture in forming] == [8, 16, 19]
    whole = fv.render(tiny, TARGETS[0], **options)
    np.testing.assert_array_equal(forming[-1].pixels, whole.pixels)
    np.testing.assert_array_equal(forming[-1].history, whole.history)
    assert forming[-1].score == whole.score
    # What is shown on the way is what has been reached by then.
    np.testing.assert_array_equal(forming[0].history, whole.history[:8])
    clean = tiny.apply(tiny.weights, jnp.asarray(forming[0].pixels)[None])["conv1"][..., 3].mean()
    assert forming[0].score == pytest.approx(float(clean), rel=1e-4)
    assert np.abs(forming[0].pixels - whole.pixels).max() > 0.01


def test_a_stream_goes_through_the_stages_of_a_recipe(tiny):
    recipe = Recipe(stages=(Stage(0.5, 4), Stage(1.0, 4)), steps=8, size=32)
    forming = list(fv.stream(tiny, TARGETS[0], every=3, recipe=recipe))
    assert [(picture.pixels.shape[0], len(picture.history)) for picture in forming] == [(16, 3), (32, 7), (32, 8)]
    np.testing.assert_array_equal(forming[-1].pixels, fv.render(tiny, TARGETS[0], recipe=recipe, progress=False).pixels)
