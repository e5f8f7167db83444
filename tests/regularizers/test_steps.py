"""The contract of step rules, held by every one that the room lists."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.pieces import check_docstring, examples, parameters

from featviz import regularizers
from featviz.common.canonical import canonical_json, digest
from featviz.errors import FeatvizError
from featviz.optimizers import SGD, Chain, Optimizer
from featviz.regularizers import STEPS

RNG = np.random.default_rng(0)
# Beyond [0,1] on both sides.
IMAGES = RNG.uniform(-0.5, 1.5, (3, 1, 12, 9, 3)).astype(np.float32)
GRADIENTS = RNG.normal(size=IMAGES.shape).astype(np.float32)
INSTANCES = parameters(STEPS)


def step(rule, image, gradient, *, steps=2):
    """An image after plain steps in a chain with the rule, before and after SGD."""
    transformation = Chain((rule, SGD(0.1), rule))()
    state = transformation.init(image)
    for index in range(steps):
        progress = jnp.float32(index / steps)
        updates, state = transformation.update(gradient, state, image, progress=progress, gradient=gradient)
        image = optax.apply_updates(image, updates)
    return image


@pytest.mark.parametrize("kind", STEPS)
def test_it_is_documented_and_exported(kind):
    check_docstring(kind)
    assert issubclass(kind, Optimizer) and getattr(regularizers, kind.__name__) is kind
    assert kind.__name__ in regularizers.__all__


@pytest.mark.parametrize("rule", INSTANCES)
def test_it_takes_optax_extra_arguments_and_works_under_vmap(rule):
    assert isinstance(rule(), optax.GradientTransformationExtraArgs)
    with jax.numpy_dtype_promotion("standard"):
        run = jax.jit(jax.vmap(partial(step, rule)))
        lanes = np.asarray(run(IMAGES, GRADIENTS))
        flat = run(np.full_like(IMAGES, 0.5), np.zeros_like(GRADIENTS))
    assert lanes.shape == IMAGES.shape and lanes.dtype == np.float32
    assert np.isfinite(lanes).all() and not np.array_equal(lanes, IMAGES)
    # Flat images and zero gradients make no nan.
    assert np.isfinite(flat).all()
    # A lane does not depend on the others.
    others = np.asarray(run(np.stack([IMAGES[2], IMAGES[1], IMAGES[0]]), GRADIENTS))
    np.testing.assert_array_equal(others[1], lanes[1])


@pytest.mark.parametrize("rule", INSTANCES)
def test_it_refuses_what_is_not_pixels(rule):
    spectrum = jnp.zeros((1, 8, 5, 3, 2))
    with pytest.raises(FeatvizError, match=f"{type(rule).__name__}, which works on pixels"):
        rule().update(spectrum, rule().init(spectrum), spectrum, progress=0.0, gradient=spectrum)


@pytest.mark.parametrize("rule", INSTANCES)
def test_it_is_a_value_with_canonical_json(rule):
    twin = replace(rule)
    assert twin == rule and hash(twin) == hash(rule) and digest(twin) == digest(rule)
    assert f'"kind":"{type(rule).__name__}"' in canonical_json(rule)


def test_every_rule_is_told_apart():
    hashes = [digest(rule) for kind in STEPS for rule in examples(kind)]
    assert len(hashes) == len(set(hashes)) >= len(STEPS)
