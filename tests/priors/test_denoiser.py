"""The denoiser: linear before training, of any image size, the same for an image alone and in a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.priors.denoiser import Denoiser, denoise, preconditioning, weight_count
from featviz.priors.unet import DenoiserConfig, init_weights

CONFIG = DenoiserConfig(widths=(8, 16), middle=1, embedding=8, mean=0.4, deviation=0.3)
run = jax.jit(denoise, static_argnums=0)


@pytest.fixture(scope="module")
def weights():
    """Weights none of which is zero, as after a training."""
    start = jax.jit(init_weights, static_argnums=1)(jax.random.key(0), CONFIG)
    rng = np.random.default_rng(0)
    return {name: leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32) for name, leaf in start.items()}


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 5), st.floats(0.05, 0.5))
def test_inputs_and_targets_have_variance_one_at_every_noise_level(sigma, deviation):
    skip, out, scale = (float(c) for c in preconditioning(jnp.float32(sigma), deviation))
    assert scale**2 * (deviation**2 + sigma**2) == pytest.approx(1, rel=1e-4)
    # The target is (x - skip (x + sigma n)) / out.
    assert ((1 - skip) ** 2 * deviation**2 + (skip * sigma) ** 2) / out**2 == pytest.approx(1, rel=1e-3)


def test_before_training_it_is_the_best_linear_denoiser():
    weights = jax.jit(init_weights, static_argnums=1)(jax.random.key(0), CONFIG)
    noisy = np.random.default_rng(0).random((8, 8, 3), np.float32)
    share = 0.3**2 / (0.3**2 + 0.5**2)
    np.testing.assert_allclose(run(CONFIG, weights, noisy, 0.5), 0.4 + share * (noisy - 0.4), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (5, 11), (1, 3)])
def test_images_of_any_size(weights, shape):
    image = np.random.default_rng(1).random((*shape, 3), np.float32)
    result = np.asarray(run(CONFIG, weights, image, 0.2))
    assert result.shape == image.shape and np.isfinite(result).all()


def test_an_image_does_not_depend_on_its_batch(weights):
    images = np.random.default_rng(2).random((3, 8, 12, 3), np.float32)
    sigmas = np.array([0.05, 0.5, 3.0], np.float32)
    together = run(CONFIG, weights, images, sigmas)
    alone = [Denoiser(CONFIG, weights)(images[i], sigmas[i]) for i in range(3)]
    np.testing.assert_allclose(together, np.stack(alone), atol=2e-5)
    assert np.abs(np.asarray(together[1]) - run(CONFIG, weights, images[1], 0.6)).max() > 1e-4


def test_a_brighter_and_more_contrasted_world_is_only_another_unit(weights):
    images = np.random.default_rng(3).random((1, 8, 8, 3), np.float32)
    other = DenoiserConfig(widths=(8, 16), middle=1, embedding=8, mean=0.0, deviation=0.3)
    np.testing.assert_allclose(
        run(other, weights, images - 0.4, 0.2), np.asarray(run(CONFIG, weights, images, 0.2)) - 0.4, atol=1e-5
    )


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_number_of_channels_and_levels(channels):
    config = DenoiserConfig(channels, (8, 8, 8), blocks=2, middle=0, embedding=8)
    weights = jax.eval_shape(lambda key: init_weights(key, config), jax.random.key(0))
    result = jax.eval_shape(lambda w, x: denoise(config, w, x, 0.1), weights, jnp.ones((2, 10, 10, channels)))
    assert result.shape == (2, 10, 10, channels) and config.multiple == 8


def test_the_default_fits_four_megabytes_in_half_precision():
    weights = jax.eval_shape(lambda key: init_weights(key, DenoiserConfig()), jax.random.key(0))
    assert 1.8e6 < weight_count(weights) < 1.99e6


def test_convolutions_in_bfloat16_are_close(weights):
    images = np.random.default_rng(4).random((2, 8, 8, 3), np.float32)
    half = jax.jit(lambda w, x: denoise(CONFIG, w, x, 0.3, dtype=jnp.bfloat16))(weights, images)
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, run(CONFIG, weights, images, 0.3), atol=0.03)
