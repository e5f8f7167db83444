"""A step with prepared weights is the step, and equal shapes are one plan."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz import ascent
from featviz.ascent.lane_step import one_step
from featviz.objectives import stack
from featviz.recipes import default


class Network(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.BatchNorm(use_running_average=True, name="norm")(nn.Conv(6, (3, 3), name="first")(x)))
        return nn.Conv(4, (3, 3), feature_group_count=2, name="second")(x)


VARIABLES = Network().init(jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32))
MODEL = fv.from_linen(Network(), VARIABLES, input=fv.InputSpec(size=16))


def routine(**options):
    return ascent.Routine(
        MODEL.apply, default.parameterization, default.optimizer, default.transforms, (1, 16, 16, 3), **options
    )


def plan(chosen=None, *, started=False):
    return ascent.plan_step(chosen or routine(), MODEL.weights, fv.channel("second", 1), None, started=started)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_step_is_that_of_the_weights(dtype):
    chosen, objective = routine(dtype=dtype), fv.channel("second", 1)
    lane = jax.tree.map(
        lambda leaf: leaf[0], ascent.start(jax.random.split(jax.random.key(1), 1), None, routine=chosen)
    )
    single = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), stack([objective]))
    arguments = (None, jnp.int32(5))
    expected, score = jax.jit(partial(one_step, chosen))(MODEL.weights, single, *arguments, lane)
    made = plan(chosen)
    prepared = ascent.PreparedWeights(MODEL.weights, ascent.prepare(MODEL.weights, plan=made))
    after, own_score = jax.jit(made.run)(prepared, *arguments, single, lane)
    assert jax.tree.structure(after) == jax.tree.structure(expected)
    np.testing.assert_allclose(own_score, score, rtol=1e-5 if dtype == "float32" else 0.02)
    for ours, theirs in zip(after.params, expected.params, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 if dtype == "float32" else 1e-2)


def test_kernels_are_turned_and_norms_folded_once():
    values = ascent.prepare(MODEL.weights, plan=plan())
    sizes = sorted(value.size for value in values)
    # The factor of the norm, and the kernels, the first of which is turned for its gradient.
    assert sizes[0] == 6
    assert sizes[-1] == 3 * 3 * 3 * 6
    assert len(sizes) < 8


def test_equal_shapes_are_one_plan():
    assert plan() == plan()
    assert hash(plan()) == hash(plan())
    assert plan() != plan(routine(dtype="bfloat16"))


def test_lanes_that_start_from_images_keep_channels():
    chosen = routine(keep=(2,))
    assert plan(chosen, started=True) != plan(chosen)
    picture = fv.render(
        MODEL, fv.channel("second", 1), start=np.full((16, 16, 3), 0.25, np.float32), keep=[2], steps=2, progress=False
    )
    np.testing.assert_allclose(picture.pixels[..., 2], 0.25, atol=1e-6)
