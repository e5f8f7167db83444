"""Penalties on the picture: values against numpy, one image like another, and pictures that obey."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import featviz as fv
from featviz.errors import FeatvizError
from featviz.model import IMAGE
from featviz.regularizers import PENALTIES, blur_difference, frequency_power, l1, l2, total_variation, variation_norm
from featviz.regularizers.filters import gaussian_blur

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 7, 10, 3)).astype(np.float32)


def value(penalty, images=IMAGES):
    return np.asarray(computed(penalty, images))


# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
@jax.jit
def computed(penalty, images):
    return penalty({IMAGE: images})


def test_values_are_those_of_numpy():
    down, right = (np.abs(np.diff(IMAGES, axis=axis)).mean((1, 2, 3)) for axis in (1, 2))
    np.testing.assert_allclose(value(total_variation()), down + right, rtol=1e-5)
    np.testing.assert_allclose(value(l1(center=0.25)), np.abs(IMAGES - 0.25).mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(value(l2()), ((IMAGES - 0.5) ** 2).mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(value(frequency_power(exponent=0.0)), IMAGES.var((1, 2)).mean(-1), rtol=1e-4)
    x = IMAGES
    pairs = (
        (x[:, 1:], x[:, :-1]),
        (x[:, :, 1:], x[:, :, :-1]),
        (x[:, 1:, 1:], x[:, :-1, :-1]),
        (x[:, 1:, :-1], x[:, :-1, 1:]),
    )
    norms = sum(np.sqrt(((a - b) ** 2).mean((1, 2, 3))) for a, b in pairs)
    np.testing.assert_allclose(value(variation_norm()), norms, rtol=1e-5)
    blurred = ndimage.gaussian_filter(x, (0, 1, 1, 0), mode="reflect")
    np.testing.assert_allclose(value(blur_difference()), 0.5 * ((x - blurred) ** 2).mean((1, 2, 3)), rtol=1e-4)


def test_a_blur_difference_pulls_pixels_to_the_blurred_image():
    gradient = jax.jit(jax.grad(lambda image: jnp.sum(blur_difference()({IMAGE: image}))))(IMAGES)
    expected = (IMAGES - gaussian_blur(jnp.asarray(IMAGES), 1.0, radius=4)) / IMAGES[0].size
    np.testing.assert_allclose(gradient, expected, atol=1e-8)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("cycles", [1, 3, 8])
def test_a_wave_has_power_at_its_frequency(exponent, cycles):
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * cycles * (np.arange(16) + 0.25) / 16)
    image = np.tile(wave.astype(np.float32)[None, None, :, None], (1, 12, 1, 1))
    expected = wave.var() * (2 * cycles / 16) ** exponent
    np.testing.assert_allclose(value(frequency_power(exponent=exponent), image), expected, rtol=1e-4)


# The first call of each compiles.
@settings(deadline=None)
@given(st.sampled_from(list(PENALTIES.values())), st.permutations(range(3)))
def test_images_do_not_see_one_another(penalty, order):
    np.testing.assert_array_equal(value(penalty, IMAGES[list(order)]), value(penalty)[list(order)])


def test_a_gray_image_is_never_punished():
    gray = np.full((1, 8, 8, 3), 0.5, np.float32)
    for penalty in (total_variation(), l1(), l2(), frequency_power(), blur_difference()):
        assert value(penalty, gray) == pytest.approx(0, abs=1e-9)
    with pytest.raises(FeatvizError, match="`exponent` is -1"):
        frequency_power(exponent=-1)


@pytest.mark.parametrize("penalty", [total_variation(), l2(), frequency_power(), blur_difference()])
def test_pictures_obey(penalty, patterns):
    def pixels(recipe):
        return fv.render(patterns, fv.channel("conv2", 3), recipe=recipe, size=32, steps=24, progress=False).pixels

    free = replace(fv.recipes.default, transforms=())
    held = replace(free, penalty=-1e4 * penalty)
    assert value(penalty, pixels(held)[None])[0] < 0.5 * value(penalty, pixels(free)[None])[0]
