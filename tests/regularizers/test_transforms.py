"""The contract of transforms, held by every one that the room lists."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.pieces import check_docstring, examples, parameters

from featviz import regularizers
from featviz.common.canonical import canonical_json, digest
from featviz.regularizers import TRANSFORMS, Transform, compose, view_shape

KEYS = jax.random.split(jax.random.key(1), 20)
SHAPES = [(12, 15, 4), (17, 12, 3)]
# Beyond [0,1] on both sides: nothing may clip it.
IMAGE = np.random.default_rng(0).uniform(-1.0, 2.0, SHAPES[0]).astype(np.float32)
INSTANCES = parameters(TRANSFORMS)


# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
@partial(jax.jit, static_argnums=0)
def run(transform, key, image, progress=np.float32(0)):  # noqa: B008
    return transform(key, image, progress)


@partial(jax.jit, static_argnums=0)
def run_many(transform, image, progress=np.float32(0)):  # noqa: B008
    return jax.vmap(lambda key: transform(key, image, progress))(KEYS)


def uses_its_key(transform):
    traced = jax.make_jaxpr(transform)(KEYS[0], IMAGE, np.float32(0)).jaxpr
    return any(variable is traced.invars[0] for step in traced.eqns for variable in step.invars)


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_it_is_documented_and_exported(kind):
    check_docstring(kind)
    assert issubclass(kind, Transform) and getattr(regularizers, kind.__name__) is kind
    assert kind.__name__ in regularizers.__all__


@pytest.mark.parametrize("transform", INSTANCES)
@pytest.mark.parametrize("shape", SHAPES)
def test_its_shape_is_static(transform, shape):
    n, height, width, channels = view_shape((transform,), (7, *shape))
    view = jax.eval_shape(transform, KEYS[0], jax.ShapeDtypeStruct(shape, np.float32), np.float32(0.5))
    assert (n, view.shape, view.dtype) == (7, (height, width, channels), np.float32)


@pytest.mark.parametrize("transform", INSTANCES)
def test_the_key_decides_what_is_drawn(transform):
    views = np.asarray(run_many(transform, IMAGE))
    assert views.shape == (20, *view_shape((transform,), (1, *IMAGE.shape))[1:])
    np.testing.assert_array_equal(views, run_many(transform, IMAGE))
    if not uses_its_key(transform):
        assert (views == views[0]).all()


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_other_keys_draw_other_views_of_a_random_transform(kind):
    random = [transform for transform in examples(kind) if uses_its_key(transform)]
    differs = [np.ptp(np.asarray(run_many(transform, IMAGE)), axis=0).any() for transform in random]
    assert any(differs) or not random


@pytest.mark.parametrize("transform", INSTANCES)
def test_values_beyond_black_and_white_are_not_clipped(transform):
    # The last channel may be an alpha.
    bright, dark = np.full_like(IMAGE, 700.0), np.full_like(IMAGE, -700.0)
    bright[..., -1] = dark[..., -1] = 1.0
    assert run(transform, KEYS[0], bright).max() > 250
    assert run(transform, KEYS[0], dark).min() < -250


@pytest.mark.parametrize("transform", INSTANCES)
def test_the_gradient_is_finite_and_reaches_the_picture(transform):
    @jax.jit
    @jax.grad
    def gradient(image):
        return jnp.square(transform(KEYS[0], image, np.float32(0.5))).sum()

    for scale in (1.0, 100.0):
        found = gradient(np.float32(scale) * IMAGE)
        assert np.isfinite(found).all() and np.any(found)


@pytest.mark.parametrize("transform", INSTANCES)
def test_only_noise_is_drawn_anew_where_other_noise_is_asked_for(transform):
    if not transform.adds_noise:
        texts = [
            jax.make_jaxpr(compose((transform,), other_noise=other))(KEYS[0], IMAGE, 0.0) for other in (False, True)
        ]
        assert str(texts[0]) == str(texts[1])
        return
    one, other = (compose((transform,), other_noise=again)(KEYS[0], IMAGE, 0.0) for again in (False, True))
    assert not np.array_equal(one, other)
    # It adds to the image, whatever the image is.
    shifted = np.asarray(compose((transform,))(KEYS[0], IMAGE + 1, 0.0)) - 1
    np.testing.assert_allclose(shifted, one, atol=1e-5)


@pytest.mark.parametrize("transform", INSTANCES)
def test_it_is_a_value_with_canonical_json(transform):
    twin = replace(transform)
    assert twin == transform and hash(twin) == hash(transform) and digest(twin) == digest(transform)
    assert f'"kind":"{type(transform).__name__}"' in canonical_json(transform)


def test_every_transform_is_told_apart():
    hashes = [digest(transform) for kind in TRANSFORMS for transform in examples(kind)]
    assert len(hashes) == len(set(hashes)) >= len(TRANSFORMS)
