"""The contract of parameterizations, held by every one that the room lists."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.parameterized import KEY, draw, draw_with_gradient, start
from support.pieces import check_docstring, examples, parameters

import featviz as fv
from featviz import parameterizations
from featviz.common.canonical import canonical_json, digest
from featviz.errors import FeatvizError
from featviz.optimizers import Adam
from featviz.parameterizations import CPPN, PARAMETERIZATIONS, FourierPhase, Parameterization, extra_channels

SHAPES = [(1, 8, 8, 3), (1, 9, 12, 1), (2, 13, 8, 5)]
INSTANCES = parameters(PARAMETERIZATIONS)
# Leaves of the parameters that the first gradient does not reach. A CPPN's last layer is 0 at the start, and learns
# first; the magnitude of a photograph is fixed.
UNREACHED = {CPPN: slice(0, -2), FourierPhase: slice(2, 3)}


@pytest.mark.parametrize("kind", PARAMETERIZATIONS)
def test_it_is_documented_and_exported(kind):
    check_docstring(kind)
    assert issubclass(kind, Parameterization) and getattr(parameterizations, kind.__name__) is kind
    assert kind.__name__ in parameterizations.__all__


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parameterization", INSTANCES)
def test_images_have_the_shape_and_the_range_and_the_gradient_reaches_the_parameters(parameterization, shape):
    extra = extra_channels(parameterization)
    assert extra in (0, 1)
    target = np.random.default_rng(0).uniform(size=(*shape[:3], shape[3] + extra)).astype(np.float32)
    _, image, gradient = draw_with_gradient(parameterization, shape, lambda image: jnp.mean(jnp.square(image - target)))
    assert image.shape == (*shape[:3], shape[3] + extra) and image.dtype == np.float32 and np.isfinite(image).all()
    if parameterization.bounded:
        assert image.min() > 0 and image.max() < 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    reached = [bool(np.any(leaf)) for leaf in jax.tree.leaves(gradient)]
    for index in range(len(reached))[UNREACHED.get(type(parameterization), slice(0, 0))]:
        reached[index] = True
    assert all(reached)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parameterization", INSTANCES)
def test_an_image_comes_back(parameterization, shape):
    image = np.random.default_rng(1).uniform(0.05, 0.95, shape).astype(np.float32)

    @jax.jit
    def there_and_back(image):
        params = parameterization.from_image(image)
        return params, parameterization.to_image(params, shape)[..., : shape[3]]

    try:
        params, again = there_and_back(image)
    except FeatvizError as error:
        assert parameterization.inverse_tolerance is None and "no inverse" in str(error)
        return
    drawn = jax.eval_shape(lambda: parameterization.init(KEY, shape))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), drawn
    )
    assert np.isfinite(again).all()
    if parameterization.inverse_tolerance is not None:
        np.testing.assert_allclose(again, image, atol=parameterization.inverse_tolerance)


@pytest.mark.parametrize("parameterization", INSTANCES)
def test_images_of_a_group_have_their_own_parameters(parameterization):
    shape = (3, 16, 16, 3)
    *_, gradient = draw_with_gradient(parameterization, shape, lambda image: jnp.sum(jnp.sin(3.0 * image[0])))
    # Only what is shared lets one image's gradient reach another.
    leaves = [leaf for leaf in jax.tree.leaves(gradient) if leaf.shape[0] == 3]
    assert leaves and all(not np.any(leaf[1:]) for leaf in leaves)


@pytest.mark.parametrize("parameterization", INSTANCES)
def test_lanes_do_not_interact_and_keys_decide_the_start(parameterization):
    shape = (1, 8, 9, 3)
    keys = jax.random.split(KEY, 3)
    params, together = jax.jit(jax.vmap(lambda key: start(parameterization, shape, key)))(keys)
    for index, key in enumerate(keys):
        np.testing.assert_allclose(together[index], draw(parameterization, shape, key=key)[1], atol=1e-5)
    # What begins at 0 draws nothing.
    drawn = [leaf for leaf in jax.tree.leaves(params) if np.ptp(leaf) > 0]
    assert all(np.any(leaf[0] != leaf[1]) for leaf in drawn)


@pytest.mark.parametrize("parameterization", INSTANCES)
def test_it_is_a_value_with_canonical_json(parameterization):
    twin = replace(parameterization)
    assert twin == parameterization and hash(twin) == hash(parameterization)
    assert digest(twin) == digest(parameterization)
    assert f'"kind":"{type(parameterization).__name__}"' in canonical_json(parameterization)


def test_every_parameterization_is_told_apart():
    hashes = [digest(parameterization) for kind in PARAMETERIZATIONS for parameterization in examples(kind)]
    assert len(hashes) == len(set(hashes)) >= len(PARAMETERIZATIONS)


@pytest.mark.parametrize("kind", [kind for kind in PARAMETERIZATIONS if kind.__name__ not in ("Alpha", "RawPixels")])
def test_every_parameterization_draws_a_unit(kind, patterns):
    recipe = replace(fv.recipes.default, parameterization=examples(kind)[-1], optimizer=Adam(0.02))
    picture = fv.render(patterns, fv.channel("conv2", 3), recipe=recipe, size=32, steps=24, progress=False)
    assert picture.score > picture.history[0] and picture.pixels.std() > 0.02
