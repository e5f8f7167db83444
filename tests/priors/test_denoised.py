"""Regularization by denoising: one step's formula in numpy, with a denoiser of one line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.errors import FeatvizError
from featviz.priors import Denoised
from featviz.priors.base import Moment
from featviz.priors.kept_noise import kept_noise

SHAPE = (2, 4, 5, 3)


@jax.tree_util.Partial
def toward_gray(key, images, sigma):
    return 0.45 + (images - 0.45) / (1 + 4 * sigma)


def direct(prior, images, gradient, *, denoise=toward_gray, step=0, progress=0.5, carried=None, key=0):
    now = Moment(jnp.int32(step), jnp.float32(progress))
    key = jax.random.key(key)
    carried = prior.begin(key, images.shape) if carried is None else carried
    return map(np.asarray, prior.direct(key, denoise, images, gradient, carried, now))


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_step_in_numpy(natural, progress):
    rng = np.random.default_rng(0)
    images, gradient = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(2))
    found, push = direct(Denoised(natural), images, gradient, progress=progress, key=3)
    noise_key, _, level_key = jax.random.split(jax.random.key(3), 3)
    highest = 1.0 * (0.2 / 1.0) ** progress
    sigma = highest * (0.05 / highest) ** float(jax.random.uniform(level_key))
    assert 0.05 <= sigma <= highest
    noisy = images + sigma * np.asarray(jax.random.normal(noise_key, SHAPE))
    step = (0.45 + (noisy - 0.45) / (1 + 4 * sigma) - images) / sigma
    step -= np.asarray(kept_noise(jax.random.normal(noise_key, SHAPE), sigma))
    step -= step.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(push, step, atol=1e-4)
    step += 0.48 - images.mean((1, 2, 3), keepdims=True)
    unit = gradient / np.sqrt((gradient**2).mean((1, 2, 3), keepdims=True))
    np.testing.assert_allclose(found, (1 - natural) * unit + natural * step, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_the_balance_does_not_depend_on_how_steep_the_objective_is(scale):
    rng = np.random.default_rng(1)
    images, gradient = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(2))
    (one, _), (other, _) = (direct(Denoised(0.4), images, np.float32(by) * gradient) for by in (1, scale))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_of_a_large_picture_the_denoiser_sees_half_the_size():
    shapes = []

    @jax.tree_util.Partial
    def seen(key, images, sigma):
        shapes.append(images.shape)
        return images

    images = np.random.default_rng(2).normal(size=(1, 13, 11, 3)).astype(np.float32)
    found, _ = direct(Denoised(0.3, side=7), images, images, denoise=seen)
    assert shapes == [(1, 7, 6, 3)]
    assert found.shape == images.shape
    # A denoiser that takes nothing away leaves the noise, less what is known to be left of it.
    other, _ = direct(Denoised(0.3, side=13), images, images, denoise=seen)
    assert shapes[1] == (1, 13, 11, 3) and not np.allclose(found, other)


@pytest.mark.parametrize(("period", "fresh"), [(1, [0, 1, 2, 3]), (2, [0, 2]), (3, [0, 3])])
def test_between_two_looks_of_the_denoiser_its_push_stays(period, fresh):
    rng = np.random.default_rng(3)
    images, carried = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(2))
    prior = Denoised(1.0, period=period)
    for step in range(4):
        found, push = direct(prior, images, images, step=step, carried=carried)
        assert np.array_equal(push, carried) == (step not in fresh)
        # The brightness is drawn to that of photographs in every step.
        np.testing.assert_allclose(found, push + 0.48 - images.mean((1, 2, 3), keepdims=True), atol=1e-5)


def test_at_half_the_size_the_denoiser_is_asked_four_times_as_often():
    images = np.random.default_rng(4).normal(size=(1, 8, 8, 3)).astype(np.float32)
    for period, fresh in ((8, [0, 2, 4]), (6, [0, 1, 2, 3, 4])):
        prior = Denoised(1.0, period=period, side=4)
        found = [step for step in range(5) if direct_push(prior, images, step=step).any()]
        assert found == fresh


def direct_push(prior, images, **options):
    _, push = direct(prior, images, images, **options)
    return push


def test_a_period_below_one_is_refused():
    with pytest.raises(FeatvizError, match=r"`period` is 0; expected 1 or more steps"):
        Denoised(period=0)
