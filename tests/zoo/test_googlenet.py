"""GoogLeNet with trained weights: effects that untrained networks do not show."""

from dataclasses import replace

import pytest

from featviz.ascent.outcome import Outcome
from featviz.objectives import channel
from featviz.recipes import default
from featviz.rendering.render import render

OPTIONS = {"size": 64, "steps": 24, "progress": False}


@pytest.mark.slow
@pytest.mark.parametrize("redirect_steps", [0, 16])
def test_a_unit_silent_from_noise_needs_the_redirected_gradient(googlenet, redirect_steps):
    """Unit 104 of inception_4c has a zero gradient from noise (recipes.md, "The ReLU that kills a picture")."""
    picture = render(
        googlenet, channel("inception_4c", 104), recipe=replace(default, redirect_steps=redirect_steps), **OPTIONS
    )
    if redirect_steps:
        assert picture.outcome is Outcome.OUT_OF_STEPS
        assert picture.pixels.std() >= 0.05
        assert picture.score > 1.0
    else:
        assert picture.outcome is Outcome.DEAD
        assert picture.pixels.std() < 0.05
        assert picture.score == 0.0
