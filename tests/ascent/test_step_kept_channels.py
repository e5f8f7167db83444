"""Channels of a start image that stay exactly as they are, whatever is optimized and however."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.errors import FeatvizError
from featviz.optimizers import SGD, Chain
from featviz.parameterizations import Pixels
from featviz.recipes import Stage
from featviz.regularizers.steps import Decay

BANDS = 5


@pytest.fixture(scope="module")
def model():
    def network(weights, images):
        return {"h": jnp.einsum("nhwc,cd->nhwd", images, weights)}

    weights = jax.random.normal(jax.random.key(0), (BANDS, 3))
    return fv.from_function(network, weights, input=fv.InputSpec(size=(16, 16), channels=BANDS))


@pytest.fixture(scope="module")
def start():
    # Also the extremes, which no sigmoid reaches.
    return np.random.default_rng(0).integers(0, 2, (16, 16, BANDS)).astype(np.float32)


PIXELS = Pixels(decorrelate=False)
RECIPES = {
    "default": fv.Recipe(steps=4),
    "pixels that decay": fv.Recipe(parameterization=PIXELS, optimizer=Chain((SGD(1.0), Decay(0.5))), steps=4),
    "stages": fv.Recipe(parameterization=PIXELS, steps=4, stages=(Stage(0.5, 2), Stage(1.0, 2))),
}


@pytest.mark.parametrize("name", RECIPES)
def test_kept_channels_are_those_of_the_start_and_the_others_rise(model, start, name):
    options = {"recipe": RECIPES[name], "start": start, "progress": False}
    kept = fv.render(model, fv.channel("h", 1), keep={1, 4}, **options)
    np.testing.assert_array_equal(kept.pixels[..., [1, 4]], start[..., [1, 4]])
    assert np.abs(kept.pixels[..., [0, 2, 3]] - start[..., [0, 2, 3]]).max() > 0.01
    assert kept.provenance["keep"] == [1, 4]


def test_each_picture_of_a_group_and_a_list_keeps_its_own_start(model, start):
    starts = [start, 1 - start]
    options = {"recipe": RECIPES["default"], "progress": False}
    pictures = fv.render(model, fv.channel("h", [0, 1]), start=starts, keep=[2], **options)
    for picture, image in zip(pictures, starts, strict=True):
        np.testing.assert_array_equal(picture.pixels[..., 2], image[..., 2])


def test_a_dream_leaves_channels_of_the_photo(model):
    photo = np.random.default_rng(1).random((40, 32, BANDS), np.float32)
    options = {"octaves": 2, "steps": 3, "progress": False}
    dreamed = fv.dream(model, photo, fv.deepdream("h"), keep={0, 3}, **options)
    np.testing.assert_array_equal(dreamed.pixels[..., [0, 3]], photo[..., [0, 3]])
    assert (dreamed.pixels[..., [1, 2, 4]] != photo[..., [1, 2, 4]]).any()
    free = fv.dream(model, photo, fv.deepdream("h"), **options)
    assert (free.pixels[..., 0] != photo[..., 0]).any() and "keep" not in free.provenance


@pytest.mark.parametrize("wrong", [{5}, [-1], range(BANDS), ["a"], 1.5, "01", [True]])
def test_other_channels_are_refused(model, start, wrong):
    with pytest.raises(FeatvizError, match="`keep` is .*; expected some of the 5 channels, 0 to 4"):
        fv.render(model, fv.channel("h", 1), start=start, keep=wrong, steps=1, progress=False)


def test_there_must_be_a_start(model):
    with pytest.raises(FeatvizError, match="`keep` names channels, but there is no `start`"):
        fv.render(model, fv.channel("h", 1), keep={1}, size=16, steps=1, progress=False)
