"""Color jitter: half of the images unchanged, the others slightly, grays gray."""

import jax
import numpy as np

from featviz.priors.color_jitter import NUMBERS, jitter_colors

run = jax.jit(jax.vmap(jitter_colors))


def jitter(seed, images):
    return np.asarray(run(np.random.default_rng(seed).random((len(images), NUMBERS), np.float32), images))


def test_half_are_unchanged_and_the_others_slightly_changed():
    images = np.random.default_rng(0).random((200, 4, 4, 3), np.float32)
    change = np.abs(jitter(10, images) - images).max((1, 2, 3))
    assert 70 < (change == 0).sum() < 130
    assert 0.03 < np.median(change[change > 0]) < 0.25


def test_grays_stay_gray():
    images = np.broadcast_to(np.random.default_rng(0).random((50, 4, 4, 1), np.float32), (50, 4, 4, 3))
    changed = jitter(11, images)
    np.testing.assert_allclose(changed, changed.mean(-1, keepdims=True) + 0 * changed, atol=1e-5)


def test_neither_brightness_nor_contrast_nor_saturation_drifts():
    images = np.random.default_rng(0).random((2000, 4, 4, 3), np.float32)
    changed = jitter(12, images)
    assert abs(changed.mean() - images.mean()) < 0.003
    assert abs(changed.std() / images.std() - 1) < 0.03
