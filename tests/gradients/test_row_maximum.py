"""Maxima of rows: the same numbers as XLA's, and the same gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.gradients.row_maximum import largest, row_maximum
from featviz.tracing.evaluation import rewrite
from featviz.tracing.program import trace


@pytest.mark.parametrize("count", [64, 65, 95, 96, 197, 1000])
@pytest.mark.parametrize("leading", [(), (3,), (2, 3)])
def test_values_and_gradients_are_those_of_a_maximum(count, leading):
    x = jnp.asarray(np.random.default_rng(count).integers(-9, 9, (*leading, count)).astype(np.float32))
    g = jnp.ones(leading)
    (found, pull), (expected, pull_expected) = (jax.vjp(f, x) for f in (largest, lambda x: jnp.max(x, axis=-1)))
    np.testing.assert_array_equal(found, expected)
    # Ties share the gradient.
    np.testing.assert_array_equal(pull(g)[0], pull_expected(g)[0])


def test_what_is_no_number_is_passed_on():
    x = jnp.arange(200.0).at[70].set(jnp.nan)
    assert jnp.isnan(largest(x))
    assert largest(jnp.full(100, -jnp.inf)) == -jnp.inf


@pytest.mark.parametrize(
    ("function", "shape", "applies"),
    [
        (lambda x: jnp.max(x, -1), (3, 64), True),
        (lambda x: jax.nn.softmax(x), (3, 197), True),
        (lambda x: jnp.max(x, -1), (3, 63), False),
        (lambda x: jnp.max(x, 0), (64, 3), False),
        (lambda x: jnp.max(x, (0, 1)), (64, 64), False),
        (lambda x: jnp.max(x.astype(jnp.int32), -1), (3, 64), False),
    ],
)
def test_the_rule_knows_its_steps(function, shape, applies):
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    program, _ = trace(function, x)
    assert any(row_maximum(program, step) is not None for step in program.steps) == applies
    ruled = rewrite(jax.make_jaxpr(function)(x), [row_maximum])
    np.testing.assert_allclose(ruled(x)[0], function(x), rtol=1e-6)
    np.testing.assert_allclose(
        jax.grad(lambda x: jnp.sum(ruled(x)[0].astype(jnp.float32) ** 2))(x),
        jax.grad(lambda x: jnp.sum(function(x).astype(jnp.float32) ** 2))(x),
        rtol=1e-5,
        atol=1e-7,
    )
