"""The contract of optimizers and schedules, held by every one that the room lists."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.pieces import check_docstring, examples, parameters

from featviz import optimizers
from featviz.common.canonical import canonical_json, digest
from featviz.optimizers import OPTIMIZERS, SCHEDULES, Optimizer, Schedule

RNG = np.random.default_rng(0)
PARAMS = RNG.uniform(size=(3, 1, 6, 5, 3)).astype(np.float32)
GRADIENTS = RNG.normal(size=PARAMS.shape).astype(np.float32)
INSTANCES = parameters(OPTIMIZERS)


def updates_of(optimizer, params, gradient, *, steps=2):
    """The updates of the last of some steps, of an optimizer or a link of a chain."""
    transformation = optax.with_extra_args_support(optimizer())
    state = transformation.init(params)
    for index in range(steps):
        progress = jnp.float32(index / steps)
        updates, state = transformation.update(gradient, state, params, progress=progress, gradient=gradient)
    return updates


@pytest.mark.parametrize("kind", OPTIMIZERS + SCHEDULES)
def test_it_is_documented_and_exported(kind):
    check_docstring(kind, formula_or_source=issubclass(kind, Optimizer))
    assert getattr(optimizers, kind.__name__) is kind and kind.__name__ in optimizers.__all__
    assert issubclass(kind, Optimizer | Schedule)


@pytest.mark.parametrize("optimizer", INSTANCES)
def test_it_works_under_vmap_and_on_trees(optimizer):
    with jax.numpy_dtype_promotion("standard"):
        run = jax.jit(jax.vmap(partial(updates_of, optimizer)))
        lanes = np.asarray(run({"a": PARAMS}, {"a": GRADIENTS})["a"])
        still = run({"a": PARAMS}, {"a": np.zeros_like(GRADIENTS)})["a"]
        others = np.asarray(run({"a": PARAMS}, {"a": np.stack([GRADIENTS[2], GRADIENTS[1], GRADIENTS[0]])})["a"])
    assert lanes.shape == PARAMS.shape and lanes.dtype == np.float32 and np.isfinite(lanes).all() and lanes.any()
    # A lane does not depend on the others, and without a gradient nothing moves.
    np.testing.assert_array_equal(others[1], lanes[1])
    assert not np.any(still)


@pytest.mark.parametrize("schedule", parameters(SCHEDULES))
def test_a_schedule_is_elementwise_and_knows_its_maximum(schedule):
    progress = jnp.linspace(0, 1, 11)
    values = schedule(progress)
    assert values.shape == (11,) and values.dtype == jnp.float32
    np.testing.assert_allclose(values, [schedule(moment) for moment in progress], rtol=1e-6)
    assert values.max() == pytest.approx(schedule.maximum)


@pytest.mark.parametrize("value", INSTANCES + parameters(SCHEDULES))
def test_it_is_a_value_with_canonical_json(value):
    twin = replace(value)
    assert twin == value and hash(twin) == hash(value) and digest(twin) == digest(value)
    assert f'"kind":"{type(value).__name__}"' in canonical_json(value)


def test_every_piece_is_told_apart():
    hashes = [digest(value) for kind in OPTIMIZERS + SCHEDULES for value in examples(kind)]
    assert len(hashes) == len(set(hashes)) >= len(OPTIMIZERS + SCHEDULES)
