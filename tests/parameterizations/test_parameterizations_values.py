"""The other parameterizations: their formulas in numpy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.parameterized import KEY, draw, sigmoid, to_image

import featviz as fv
from featviz.errors import FeatvizError
from featviz.optimizers import Adam
from featviz.parameterizations import CPPN, Fourier, LaplacianPyramid, MultiResolution, RawPixels, Shared

SHAPES = [(1, 8, 8, 3), (1, 9, 12, 1), (2, 13, 8, 5)]


def test_raw_pixels_begin_as_they_are_told():
    image = draw(RawPixels(mean=(0.1, 0.5, 0.9), sd=0.01), (1, 64, 64, 3))[1]
    np.testing.assert_allclose(image.mean((0, 1, 2)), (0.1, 0.5, 0.9), atol=1e-3)
    assert image.std((0, 1, 2)) == pytest.approx(0.01, rel=0.05)
    uniform = draw(RawPixels(low=0.2, high=0.4), (1, 64, 64, 1))[1]
    assert 0.2 <= uniform.min() < 0.201 and 0.399 < uniform.max() < 0.4
    assert draw(RawPixels(mean=(0.1, 0.5, 0.9), sd=0.0), (1, 4, 4, 1))[1] == pytest.approx(0.5)


def test_a_pyramid_is_the_sum_of_its_levels():
    shape = (1, 16, 8, 1)
    params, image = draw(LaplacianPyramid(), shape)
    assert [level.shape[1:3] for level in params] == [(16, 8), (8, 4), (4, 2), (2, 1)]
    flat = tuple(np.full_like(level, number) for number, level in enumerate(params))
    assert to_image(LaplacianPyramid(), shape, flat) == pytest.approx(sigmoid(6.0))
    assert np.isfinite(image).all()


def test_a_stack_is_the_sum_of_enlarged_images():
    shape = (1, 9, 12, 2)
    params = np.asarray(MultiResolution(sd=1.0).init(KEY, shape))
    sides = [1, 5, 9, 12]
    total = 0.0
    for number, side in enumerate(sides):
        size = (max(1, round(9 * side / 12)), side)
        part = params[:, number, : size[0], : size[1]]
        total = total + np.asarray(jax.image.resize(jnp.asarray(part), shape, "linear", antialias=False))
    np.testing.assert_allclose(to_image(MultiResolution(), shape, params), (np.tanh(total) + 1) / 2, atol=1e-5)


def test_a_cppn_is_the_published_network():
    cppn, shape = CPPN(depth=2, width=4), (1, 5, 6, 3)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), cppn.init(KEY, shape))
    y, x = np.meshgrid(np.linspace(-(3**0.5), 3**0.5, 5), np.linspace(-(3**0.5), 3**0.5, 6), indexing="ij")
    h = np.stack([x, y], -1)
    params = jax.tree.map(np.asarray, params)
    for weights, biases in params[:-1]:
        bent = np.arctan(h @ weights[0] + biases[0])
        h = np.concatenate([bent / 0.67, bent**2 / 0.6], -1)
    expected = sigmoid(h @ params[-1][0][0] + params[-1][1][0])
    np.testing.assert_allclose(cppn.to_image(jax.tree.map(jnp.asarray, params), shape)[0], expected, atol=1e-5)
    with pytest.raises(FeatvizError, match="no inverse"):
        cppn.from_image(jnp.zeros(shape))


def test_shared_parts_line_a_group_up():
    shape = (4, 32, 32, 3)
    shared = Shared(Fourier(sd=1e-4), sd=1.0)
    images = draw(shared, shape)[1].reshape(4, -1)
    alike = np.corrcoef(images)
    # Neighbors share the parts over two as well.
    assert alike[0, 1] > alike[0, 2] + 0.02 and alike[0, 2] > 0.3


def test_a_cppn_cannot_begin_at_a_photograph(patterns):
    recipe = replace(fv.recipes.default, parameterization=CPPN(), optimizer=Adam(0.005))
    with pytest.raises(FeatvizError, match="`start`"):
        fv.render(patterns, fv.channel("conv1", 0), recipe=recipe, start=np.full((16, 16, 3), 0.5, np.float32))
