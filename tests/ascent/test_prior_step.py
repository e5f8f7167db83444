"""An ascent with a prior: a plain loop gives the same picture, and no lane knows of its neighbors."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.denoisers import make_denoiser, write_denoiser
from support.tiny import Gauges, Tiny, build

from featviz.ascent.lane_keys import lane_key
from featviz.ascent.outcome import Outcome
from featviz.model import OUTPUT
from featviz.objectives import channel
from featviz.optimizers import SGD
from featviz.parameterizations import RawPixels
from featviz.priors import Denoised, Guided
from featviz.priors.base import Moment
from featviz.recipes import Recipe, denoised, guided
from featviz.rendering.render import render, render_group

MODEL = build()
UNIT = channel("conv2/relu", 3)
PHOTO = np.random.default_rng(4).uniform(0.2, 0.8, (16, 16, 3)).astype(np.float32)
# Long floats that no step rule changes: what the prior gives is what the picture goes by.
PLAIN = Recipe(parameterization=RawPixels(sd=0.0), optimizer=SGD(1.0), size=16, steps=3, redirect_steps=0)

# The denoiser sees pictures of 16 px at half their size.
HALVED = replace(denoised, prior=Denoised(side=7))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_denoiser(tmp_path_factory.mktemp("prior"))


def draw(objective=UNIT, *, recipe, **options):
    return render(MODEL, objective, recipe=recipe, **{"size": 16, "progress": False, **options})


def by_hand(prior, steps):
    """The ascent in a plain loop on flax's own network, with the denoiser as it is."""
    own, key = make_denoiser(), lane_key(0, UNIT)
    image, carried = jnp.asarray(PHOTO)[None], prior.begin(jax.random.fold_in(key, 0xFFFFFFFE), (1, 16, 16, 3))

    @jax.jit
    def gradient(image):
        def unit(image):
            _, captured = Tiny().apply(MODEL.weights, image, capture_intermediates=True, mutable="intermediates")
            return jnp.mean(jax.nn.relu(captured["intermediates"]["conv2"]["__call__"][0])[..., 3])

        return jax.grad(unit)(image)

    denoise = jax.tree_util.Partial(jax.jit(lambda key, images, sigma: own(images, sigma)))
    for step in range(steps):
        now, step_key = Moment(jnp.int32(step), jnp.float32(step / steps)), jax.random.fold_in(key, step)
        image, carried = prior.renew(jax.random.fold_in(step_key, 0xFFFFFFFD), denoise, image, carried, now)
        toward = jax.random.fold_in(step_key, 0xFFFFFFFE)
        move, carried = prior.direct(toward, denoise, image, gradient(image), carried, now)
        image = image + move
    return np.asarray(image)[0]


@pytest.mark.parametrize("kind", [Guided, Denoised])
def test_it_is_the_loop_written_by_hand(kind, file):
    prior = kind(0.4, largest=0.2)
    picture = draw(recipe=replace(PLAIN, prior=replace(prior, file=file)), start=PHOTO)
    np.testing.assert_allclose(picture.pixels, by_hand(prior, 3), atol=2e-3, rtol=1e-3)
    assert np.abs(picture.pixels - PHOTO).max() > 0.01


@pytest.mark.parametrize("recipe", [guided, denoised, HALVED], ids=["guided", "denoised", "halved"])
def test_a_picture_is_the_same_alone_and_among_others(recipe, file):
    recipe = replace(recipe, steps=6, prior=replace(recipe.prior, file=file))
    several = draw([channel("conv2/relu", unit) for unit in range(5)], recipe=recipe)
    for number in (0, 3, 4):
        alone = draw(channel("conv2/relu", number), recipe=recipe)
        np.testing.assert_array_equal(alone.pixels, several[number].pixels)
        np.testing.assert_array_equal(alone.history, several[number].history)
    assert len({picture.pixels.tobytes() for picture in several}) == 5
    assert not np.array_equal(draw(recipe=recipe, seed=1).pixels, several[3].pixels)


@pytest.mark.parametrize("recipe", [guided, denoised])
def test_a_group_is_drawn_together(recipe, file):
    recipe = replace(recipe, steps=3, prior=replace(recipe.prior, file=file))
    pictures = render_group(MODEL, UNIT, recipe=recipe, group_size=2, size=(16, 20), progress=False)
    assert [picture.pixels.shape for picture in pictures] == [(16, 20, 3)] * 2
    assert not np.array_equal(pictures[0].pixels, pictures[1].pixels)


@pytest.mark.parametrize("recipe", [guided, denoised])
def test_a_silent_unit_is_dead_although_the_prior_draws(recipe, file):
    recipe = replace(recipe, steps=3, redirect_steps=0, prior=replace(recipe.prior, file=file))
    gauges = build(Gauges())
    assert render(gauges, channel(OUTPUT, 5), recipe=recipe, size=16, progress=False).outcome is Outcome.DEAD
