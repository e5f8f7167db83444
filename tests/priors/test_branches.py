"""A choice that stays one under `vmap`: its values, and that what no lane takes is not computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.priors.branches import either

SHAPE = (1, 4, 4, 3)


def run(predicates, *, in_jit=True):
    """Lanes of ones, doubled where the predicate holds and tripled elsewhere, and how often each was computed."""
    computed = []

    def branch(factor):
        def compute(scale, images):
            jax.debug.callback(lambda: computed.append(factor))
            return factor * scale * images

        return compute

    def lane(predicate, images):
        return either(predicate, branch(2.0), branch(3.0), jnp.float32(1.0), images)

    lanes = jax.vmap(lane)
    found = (jax.jit(lanes) if in_jit else lanes)(jnp.array(predicates), jnp.ones((len(predicates), *SHAPE)))
    jax.effects_barrier()
    return np.asarray(found)[:, 0, 0, 0, 0].tolist(), sorted(set(computed))


@pytest.mark.parametrize("in_jit", [True, False])
@pytest.mark.parametrize(
    ("predicates", "values", "computed"),
    [
        ([True, True], [2, 2], [2]),
        ([False, False], [3, 3], [3]),
        ([True, False, True], [2, 3, 2], [2, 3]),
    ],
)
def test_a_branch_is_computed_only_if_a_lane_takes_it(predicates, values, computed, in_jit):
    assert run(predicates, in_jit=in_jit) == (values, computed)


def test_one_lane_without_vmap():
    for predicate, value in ((True, 2), (False, 3)):
        found = either(jnp.array(predicate), lambda x: 2 * x, lambda x: 3 * x, jnp.ones(SHAPE))
        assert np.asarray(found).ravel().tolist() == [value] * np.prod(SHAPE)


def test_the_same_predicate_for_all_lanes():
    images = jnp.arange(2.0)[:, None, None, None, None] * jnp.ones((2, *SHAPE))
    found = jax.vmap(lambda images: either(jnp.array(True), lambda x: 2 * x, lambda x: 3 * x, images))(images)
    np.testing.assert_array_equal(found, 2 * images)
