"""DeepDream is the algorithm of 2015, step by step, with masks and any objective."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

import featviz as fv
from featviz.ascent.outcome import Outcome
from featviz.dreaming.dream_steps import draw_shift

QUIET = {"progress": False}


def dream_in_numpy(model, photo, layer, *, octaves, steps, seed, step=1.5, jitter=32, scale=1.4):
    """The notebook's loop on 0..255, with nothing of featviz but the network and its random shifts."""
    key = jax.random.key(seed)

    @jax.jit
    def half_squares(x):
        def total(x):
            h = model.apply(model.weights, x / 255, layers=(layer,))[layer]
            return jnp.sum(jnp.square(h)) / 2

        return jax.grad(total)(x)

    bases = [photo.astype(np.float64) * 255]
    for _ in range(octaves - 1):
        bases.append(ndimage.zoom(bases[-1], (1.0 / scale, 1.0 / scale, 1), order=1))
    detail = np.zeros_like(bases[-1])
    for number, base in enumerate(bases[::-1]):
        if number > 0:
            factors = (base.shape[0] / detail.shape[0], base.shape[1] / detail.shape[1], 1)
            detail = ndimage.zoom(detail, factors, order=1)
        x = base + detail
        for at in range(steps):
            rows, columns = draw_shift(key, number, at, jitter)
            x = np.roll(np.roll(x, columns, 1), rows, 0)
            g = np.asarray(half_squares(jnp.asarray(x[None], jnp.float32)), np.float64)[0]
            x = x + step / np.abs(g).mean() * g
            x = np.roll(np.roll(x, -columns, 1), -rows, 0)
            x = np.clip(x, 0, 255)
        detail = x - base
    return x / 255


@pytest.mark.parametrize(("octaves", "steps"), [(1, 1), (1, 4), (3, 1), (2, 2)])
def test_a_dream_is_that_of_the_notebook_of_2015(octaves, steps, patterns, photo):
    found = fv.dream(patterns, photo, fv.deepdream("conv2"), octaves=octaves, steps=steps, seed=7, **QUIET)
    expected = dream_in_numpy(patterns, photo, "conv2", octaves=octaves, steps=steps, seed=7)
    assert np.abs(found.pixels - photo).mean() > 0.003
    # Rounding grows from step to step.
    np.testing.assert_allclose(found.pixels, expected, atol=2e-3)
    assert np.abs(found.pixels - expected).mean() < 2e-5


def test_the_mean_change_of_a_step_is_its_step_size(patterns, photo):
    inside = 0.3 + 0.4 * photo
    found = fv.dream(patterns, inside, fv.deepdream("conv2"), octaves=1, steps=1, step_size=0.01, **QUIET)
    assert np.abs(found.pixels - inside).mean() == pytest.approx(0.01, rel=1e-2)


@pytest.mark.parametrize("laplacian", [0, 4])
def test_the_objective_rises(laplacian, patterns, photo):
    objective = fv.channel("conv2", 3) + 0.5 * fv.channel("conv1", 2)
    found = fv.dream(patterns, photo, objective, octaves=2, steps=5, laplacian=laplacian, **QUIET)
    before = float(objective(patterns.apply(patterns.weights, jnp.asarray(photo[None])))[0])
    assert found.score > before + 0.1 * abs(before)
    assert found.outcome is Outcome.OUT_OF_STEPS and len(found.history) == 10
    assert found.pixels.min() >= 0 and found.pixels.max() <= 1
    assert found.provenance["name"] == objective.label and found.provenance["command"] is None


def test_a_negated_objective_falls(patterns, photo):
    found = fv.dream(patterns, photo, -fv.channel("conv2", 3), octaves=1, steps=5, **QUIET)
    assert found.score > found.history[0]


def test_a_guided_dream_raises_its_score(patterns, photo):
    features = fv.observe(patterns, photo[::-1].copy(), "conv2")
    found = fv.dream(patterns, photo, fv.guided_dream("conv2", features), octaves=1, steps=4, **QUIET)
    assert found.score > found.history[0]


def test_where_the_mask_is_black_the_photo_stays(patterns, photo):
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[:, 48:] = 1
    found = fv.dream(patterns, photo, fv.deepdream("conv2"), octaves=1, steps=3, mask=mask, **QUIET)
    np.testing.assert_array_equal(found.pixels[:, :48], photo[:, :48])
    assert np.abs(found.pixels - photo)[:, 48:].mean() > 0.003
