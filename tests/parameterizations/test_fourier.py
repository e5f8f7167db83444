"""Parameterizations: the published formulas, written once more in numpy, give the same pictures."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.parameterizations import Fourier, Pixels
from featviz.parameterizations.color import COLOR_MATRIX, correlate_color, decorrelate_color

# Of recipes.md: the square root of ImageNet's color correlation, and its largest column norm.
M = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
NORM = 0.46195
# MACO's rounded recorrelation matrix (Fel et al. 2023), the transpose of ours.
MACO = np.array([[0.5628, 0.5845, 0.5845], [0.1948, 0.0, -0.1948], [0.0433, -0.1082, 0.0649]])

SIZES = [(8, 8), (9, 8), (7, 11)]
SHAPES = [(1, *size, 3) for size in SIZES] + [(1, 8, 9, 1), (2, 9, 8, 5)]


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def colored(t, decorrelate):
    return t @ (M / NORM).T if decorrelate and t.shape[-1] == 3 else t


def published_fourier(params, shape, *, decay=1.0, decorrelate=True):
    _, h, w, _ = shape
    rows, columns = np.fft.fftfreq(h), np.arange(w // 2 + 1) / w
    f = np.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2)
    scale = np.sqrt(w * h) / np.maximum(f, 1 / max(w, h)) ** decay
    spectrum = (params[..., 0] + 1j * params[..., 1]) * scale[None, :, :, None]
    t = np.fft.irfft2(spectrum, s=(h, w), axes=(1, 2)) / 4
    return sigmoid(colored(t, decorrelate))


# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
@partial(jax.jit, static_argnums=(0, 1))
def init(parameterization, shape, seed=0):
    return parameterization.init(jax.random.key(seed), shape)


@partial(jax.jit, static_argnums=(0, 1))
def to_image(parameterization, shape, params):
    return parameterization.to_image(params, shape)


def wide(parameterization, shape):
    """Parameters a hundred times as large as at the start, so that the sigmoid is bent."""
    return 100.0 * np.asarray(init(parameterization, shape))


@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_fourier_is_the_published_formula(shape, decorrelate):
    fourier = Fourier(decorrelate=decorrelate)
    params = wide(fourier, shape)
    image = to_image(fourier, shape, params)
    assert (image.shape, image.dtype) == (shape, jnp.float32)
    expected = published_fourier(np.asarray(params, np.float64), shape, decorrelate=decorrelate)
    assert np.ptp(expected) > 0.2
    np.testing.assert_allclose(image, expected, atol=2e-5)


@pytest.mark.parametrize("decay", [0.0, 0.5, 2.0])
def test_fourier_follows_its_decay(decay):
    shape = (1, 8, 10, 3)
    fourier = Fourier(decay=decay)
    params = init(fourier, shape, 1)
    expected = published_fourier(np.asarray(params, np.float64), shape, decay=decay)
    np.testing.assert_allclose(to_image(fourier, shape, params), expected, atol=2e-5)


@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_pixels_are_a_sigmoid_of_their_parameters(channels, decorrelate):
    shape = (2, 5, 6, channels)
    pixels = Pixels(decorrelate=decorrelate)
    params = wide(pixels, shape)
    expected = sigmoid(colored(np.asarray(params, np.float64), decorrelate))
    np.testing.assert_allclose(to_image(pixels, shape, params), expected, atol=1e-5)


@pytest.mark.parametrize("sd", [0.01, 0.2])
@pytest.mark.parametrize("kind", [Pixels, Fourier])
def test_the_start_is_normal_noise_of_its_standard_deviation(kind, sd):
    params = np.asarray(init(kind(sd=sd), (1, 64, 64, 3)))
    assert params.dtype == np.float32
    assert params.std() == pytest.approx(sd, rel=0.03)
    assert abs(params.mean()) < 0.05 * sd
    assert abs((params**4).mean() / params.var() ** 2 - 3) < 0.3


def test_the_published_standard_deviation_is_the_default():
    assert Fourier().sd == Pixels().sd == 0.01
    assert Fourier().decay == 1.0


@pytest.mark.parametrize("kind", [Pixels, Fourier])
def test_keys_decide_the_start(kind):
    shape = (1, 8, 8, 3)
    first, again, other = (init(kind(), shape, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.any(np.asarray(first) == np.asarray(other))


@pytest.mark.parametrize("size", [32, 33, 96])
def test_noise_is_a_gray_picture_at_every_size(size):
    shape = (1, size, size, 3)
    image = np.asarray(to_image(Fourier(), shape, init(Fourier(), shape)))
    assert 0.0 < image.min() < 0.5 < image.max() < 1.0
    assert image.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("kind", [Pixels, Fourier])
@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_from_image_is_the_inverse_of_to_image(shape, decorrelate, kind):
    parameterization = kind(decorrelate=decorrelate)
    image = np.random.default_rng(0).uniform(0.02, 0.98, shape).astype(np.float32)
    params = jax.jit(parameterization.from_image)(image)
    started = init(parameterization, shape)
    assert (params.shape, params.dtype) == (started.shape, started.dtype)
    np.testing.assert_allclose(to_image(parameterization, shape, params), image, atol=1e-4)


@pytest.mark.parametrize("kind", [Pixels, Fourier])
def test_a_start_image_of_black_and_white_can_still_move(kind):
    shape = (1, 6, 6, 3)
    image = jnp.asarray(np.random.default_rng(0).integers(0, 2, shape), jnp.float32)
    params = jax.jit(kind().from_image)(image)
    assert np.all(np.isfinite(params))
    assert np.abs(np.asarray(to_image(kind(), shape, params)) - np.asarray(image)).max() < 0.0101
    gradient = jax.jit(jax.grad(lambda params: kind().to_image(params, shape).sum()))(params)
    assert np.abs(np.asarray(gradient)).max() > 1e-4


@pytest.mark.parametrize("kind", [Pixels, Fourier])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_pictures_stay_between_black_and_white(kind, channels):
    shape = (1, 8, 9, channels)
    image = np.asarray(to_image(kind(), shape, wide(kind(), shape)))
    assert image.min() > 0.0
    assert image.max() < 1.0


def test_the_color_matrix_is_the_published_one():
    assert np.linalg.norm(M, axis=0).max() == pytest.approx(NORM, abs=5e-6)
    np.testing.assert_allclose(COLOR_MATRIX, M / NORM, atol=1e-5)
    np.testing.assert_allclose(COLOR_MATRIX.T, MACO, atol=1e-4)


def test_colors_are_mixed_by_the_transpose():
    t = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(correlate_color(jnp.asarray(t)), t @ (M / NORM).T, atol=1e-5)
    np.testing.assert_allclose(decorrelate_color(correlate_color(jnp.asarray(t))), t, atol=1e-5)
    # The first axis is brightness: it raises the three channels nearly alike.
    bright = np.asarray(correlate_color(jnp.array([1.0, 0.0, 0.0])))
    assert np.ptp(bright) < 0.05 * bright.mean()


@pytest.mark.parametrize("channels", [1, 2, 4, 5])
def test_other_channel_counts_are_not_mixed(channels):
    t = jnp.asarray(np.random.default_rng(0).normal(size=(3, channels)), jnp.float32)
    assert np.array_equal(correlate_color(t), t)
    assert np.array_equal(decorrelate_color(t), t)
