"""JAX's random numbers without its programs: the same bits."""

import jax
import numpy as np
import pytest

from featviz.ascent.lane_keys import lane_keys
from featviz.common.threefry import fold_in, normal
from featviz.objectives import channel


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5, 2), (40, 41, 3)])
@pytest.mark.parametrize("seed", [0, 5, 2**31 + 3])
def test_normal_numbers_are_those_of_jax(shape, seed):
    keys = jax.random.split(jax.random.key(seed), 2)
    drawn = jax.jit(jax.vmap(lambda key: normal(key, shape)))(keys)
    expected = jax.jit(jax.vmap(lambda key: jax.random.normal(key, shape)))(keys)
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)


def test_keys_of_another_kind_draw_as_jax_does():
    key = jax.random.key(0, impl="rbg")
    np.testing.assert_array_equal(normal(key, (9,)), jax.random.normal(key, (9,)))


def test_folded_keys_are_those_of_jax():
    root = jax.random.key(2**32 - 2)
    words = np.random.default_rng(0).integers(0, 2**32, 20, dtype=np.uint32)
    found = fold_in(np.asarray(jax.random.key_data(root))[:, None], words)
    expected = jax.random.key_data(jax.vmap(lambda word: jax.random.fold_in(root, word))(words))
    np.testing.assert_array_equal(found.T, expected)


@pytest.mark.parametrize("stage", [0, 2])
def test_keys_of_lanes_are_the_seed_folded_with_the_hash(stage):
    objectives = [channel("conv1", unit) for unit in range(3)]
    for key, objective in zip(lane_keys(4, objectives, stage=stage), objectives, strict=True):
        expected = jax.random.key(4)
        for digits in (objective.hash[:8], objective.hash[8:16]):
            expected = jax.random.fold_in(expected, np.uint32(int(digits, 16)))
        expected = jax.random.fold_in(expected, stage) if stage else expected
        np.testing.assert_array_equal(jax.random.key_data(key), jax.random.key_data(expected))
