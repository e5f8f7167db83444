"""The loop: it is gradient ascent as anyone would write it, and each lane ends by itself."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.tiny import Gauges, Tiny, build

from featviz.ascent import Convergence
from featviz.ascent.lane_keys import lane_key
from featviz.ascent.outcome import Outcome
from featviz.model import IMAGE
from featviz.objectives import channel, deepdream, logit
from featviz.optimizers import Adam, Custom
from featviz.parameterizations import Fourier, Pixels
from featviz.recipes import Recipe
from featviz.regularizers import GaussianNoise, Jitter, Roll
from featviz.rendering.render import render

SHAPE = (1, 16, 16, 3)
PLAIN = Recipe(parameterization=Pixels(decorrelate=False), size=16, steps=24, redirect_steps=0)
FREE, CAPPED, BREAKING, CONSTANT, SILENT, UNREACHABLE, WEIGHTED = logit(range(7))


@pytest.fixture(scope="module")
def tiny():
    return build()


@pytest.fixture(scope="module")
def gauges():
    return build(Gauges())


def draw(model, objectives, recipe=PLAIN, **options):
    return render(model, objectives, **{"recipe": recipe, "progress": False, **options})


def by_hand(model, recipe, objective, *, steps):
    """Ascent without lanes, chunks or gradient rules, on flax's own network; (image, scores)."""
    key, parameterization = lane_key(0, objective), recipe.parameterization
    optimizer = recipe.optimizer()
    params = jax.jit(lambda key: parameterization.init(jax.random.fold_in(key, 0xFFFFFFFF), SHAPE))(key)
    state = optimizer.init(params)

    def loss(params, step, progress):
        image = parameterization.to_image(params, SHAPE)
        views = []
        for view in range(recipe.samples):
            changed = image[0]
            for number, transform in enumerate(recipe.transforms):
                at = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(key, step), view), number)
                changed = transform(at, changed, progress)
            views.append(changed)
        _, captured = Tiny().apply(model.weights, jnp.stack(views), capture_intermediates=True, mutable="intermediates")
        unit = jnp.mean(jax.nn.relu(captured["intermediates"]["conv2"]["__call__"][0])[..., 3])
        penalty = 0.0 if recipe.penalty is None else 0.5 * jnp.mean(jnp.square(jnp.stack(views)))
        return penalty - unit, unit

    scores = []
    slope, update = jax.jit(jax.grad(loss, has_aux=True)), jax.jit(optimizer.update)
    for step in range(steps):
        gradient, score = slope(params, jnp.int32(step), jnp.float32(step / steps))
        with jax.numpy_dtype_promotion("standard"):
            updates, state = update(gradient, state, params)
            params = optax.apply_updates(params, updates)
        scores.append(float(score))
    return np.asarray(jax.jit(lambda params: parameterization.to_image(params, SHAPE))(params))[0], scores


@pytest.mark.parametrize(
    "recipe",
    [
        replace(PLAIN, optimizer=Custom("ascent", lambda: optax.sgd(50.0))),
        replace(
            PLAIN,
            parameterization=Fourier(),
            optimizer=Adam(0.05),
            samples=2,
            transforms=(Roll(3), Jitter(2), GaussianNoise(0.2, end_sd=0.0)),
            penalty=-0.5 * deepdream(IMAGE),
        ),
    ],
    ids=["plain", "all at once"],
)
def test_it_is_gradient_ascent_written_by_hand(tiny, recipe):
    objective = channel("conv2/relu", 3)
    picture = draw(tiny, objective, recipe, steps=3)
    pixels, scores = by_hand(tiny, recipe, objective, steps=3)
    np.testing.assert_allclose(picture.history, scores, rtol=1e-4)
    assert scores[-1] > scores[0]
    # Adam divides by the gradient's size, so that pixels of almost none may differ.
    assert np.mean(np.abs(picture.pixels - pixels) < 1e-4) > 0.98


@pytest.mark.parametrize("steps", [1, 15, 16, 17, 33])
def test_steps_are_made_and_recorded_exactly(gauges, steps):
    picture = draw(gauges, FREE, steps=steps)
    assert (picture.outcome, picture.history.shape) == (Outcome.OUT_OF_STEPS, (steps,))
    assert np.all(np.diff(picture.history) > 0)
    assert picture.score > picture.history[-1]


def test_more_steps_begin_as_fewer(gauges):
    few, more = (draw(gauges, FREE, steps=steps) for steps in (5, 20))
    assert np.array_equal(few.history, more.history[:5])
    # The score of a step is that of the picture before it.
    assert more.history[5] == pytest.approx(few.score, rel=1e-5)


def test_a_lane_converges_by_itself(gauges):
    rule = Convergence(window=4, tolerance=0.01, patience=2)
    pictures = draw(gauges, [FREE, CAPPED, -FREE, CAPPED], convergence=rule, steps=30)
    free, capped, _, again = pictures
    assert (free.outcome, len(free.history)) == (Outcome.OUT_OF_STEPS, 30)
    assert capped.outcome is Outcome.CONVERGED
    assert len(capped.history) % 4 == 0
    assert 8 <= len(capped.history) < 30
    assert np.array_equal(capped.pixels, again.pixels)
    # It stopped for the reason given, and no window earlier.
    means = capped.history.reshape(-1, 4).mean(axis=1)
    small = np.diff(means) < 0.01 * np.abs(means[1:])
    assert small.tolist() == [False] * (len(small) - 1) + [True]


@pytest.mark.parametrize("patience", [2, 5])
def test_convergence_waits_for_its_patience(gauges, patience):
    rule = Convergence(window=3, tolerance=10.0, patience=patience)
    assert len(draw(gauges, CAPPED, convergence=rule).history) == 3 * patience


def test_a_nan_stops_its_lane_at_the_last_good_picture(gauges):
    broken, free = draw(gauges, [BREAKING, FREE])
    last = len(broken.history) - 1
    assert (broken.outcome, free.outcome) == (Outcome.NOT_FINITE, Outcome.OUT_OF_STEPS)
    assert 0 < last < 23
    assert np.isnan(broken.history[last])
    assert np.all(np.isfinite(broken.history[:last]))
    assert np.array_equal(broken.pixels, draw(gauges, BREAKING, steps=last).pixels)
    assert len(free.history) == 24
    assert np.all(np.isfinite(free.history))


@pytest.mark.parametrize("objective", [CONSTANT, UNREACHABLE], ids=["constant", "unreachable"])
@pytest.mark.parametrize("redirect_steps", [0, 16])
def test_what_never_moves_is_dead(gauges, objective, redirect_steps):
    picture, free = draw(gauges, [objective, FREE], replace(PLAIN, redirect_steps=redirect_steps))
    assert (picture.outcome, free.outcome) == (Outcome.DEAD, Outcome.OUT_OF_STEPS)


@pytest.mark.parametrize("silent", [SILENT, WEIGHTED], ids=["last", "before the last"])
def test_a_unit_silent_from_noise_comes_to_life_by_the_redirected_gradient(gauges, silent):
    without, redirected = (draw(gauges, silent, replace(PLAIN, redirect_steps=steps)) for steps in (0, 16))
    assert (without.outcome, without.score) == (Outcome.DEAD, 0.0)
    assert redirected.outcome is Outcome.OUT_OF_STEPS
    assert redirected.history[0] == 0.0 < redirected.history[-1] < redirected.score


def test_a_penalty_pulls_by_its_sign(tiny):
    # The scores are without the penalty; deepdream of the image is its mean square.
    brightness = {}
    for sign in (-1.0, 0.0, 1.0):
        picture = draw(tiny, logit(3), replace(PLAIN, penalty=sign * deepdream(IMAGE)))
        brightness[sign] = np.square(picture.pixels).mean()
        assert picture.score == pytest.approx(score_of(tiny, picture.pixels), rel=1e-4)
    assert brightness[-1.0] < brightness[0.0] - 0.02
    assert brightness[1.0] > brightness[0.0] + 0.02


def score_of(model, pixels):
    return float(Tiny().apply(model.weights, jnp.asarray(pixels)[None])[0, 3])


def test_samples_average_several_views(gauges):
    noisy = replace(
        PLAIN, transforms=(GaussianNoise(0.2),), optimizer=Custom("still", lambda: optax.sgd(0.0)), steps=24
    )
    one, many = (draw(gauges, FREE, replace(noisy, samples=samples)).history for samples in (1, 4))
    # The mean of 768 pixels' noise, and of 4 times as many.
    assert np.std(one) == pytest.approx(0.2 / np.sqrt(768), rel=0.4)
    assert np.std(many) == pytest.approx(np.std(one) / 2, rel=0.4)
