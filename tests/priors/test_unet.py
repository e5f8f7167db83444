"""The parts of the U-Net against numpy."""

import jax
import jax.numpy as jnp
import numpy as np

from featviz.priors.unet import DenoiserConfig, _depth_to_space, _double, _halve, _norm, _space_to_depth, init_weights


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_space_to_depth_keeps_two_by_two_pixels_together():
    image = draw(2, 4, 6, 3)
    deep = np.asarray(_space_to_depth(image))
    assert deep.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(deep[1, 0, 2], image[1, 0:2, 4:6].reshape(-1))
    np.testing.assert_array_equal(_depth_to_space(deep), image)


def test_halving_is_a_mean_and_doubling_a_repetition():
    image = draw(1, 4, 4, 2)
    np.testing.assert_allclose(_halve(image)[0, 1, 0], image[0, 2:4, 0:2].mean((0, 1)), rtol=1e-5)
    np.testing.assert_array_equal(_double(image), image.repeat(2, 1).repeat(2, 2))


def test_group_normalization_and_film():
    config = DenoiserConfig(groups=2)
    x, scale, bias, film = 3 + 2 * draw(2, 5, 4, 6), draw(6), draw(6), draw(2, 12)
    result = _norm(config, {"n/scale": jnp.asarray(scale), "n/bias": jnp.asarray(bias)}, "n", x, film=jnp.asarray(film))
    groups = x.reshape(2, 5, 4, 2, 3)
    centered = groups - groups.mean((1, 2, 4), keepdims=True)
    normal = (centered / np.sqrt((centered**2).mean((1, 2, 4), keepdims=True) + 1e-5)).reshape(x.shape) * scale + bias
    expected = normal * (1 + film[:, None, None, :6]) + film[:, None, None, 6:]
    np.testing.assert_allclose(result, expected, atol=2e-5)


def test_first_weights_keep_the_variance():
    weights = jax.jit(init_weights, static_argnums=1)(jax.random.key(0), DenoiserConfig(widths=(32, 64)))
    kernel = weights["down/1/0/first/kernel"]
    assert abs(float(jnp.std(kernel)) * np.sqrt(9 * 32) - 1) < 0.05
    assert not np.asarray(weights["last/kernel"]).any() and not np.asarray(weights["up/0/0/second/kernel"]).any()
