"""Flattening of traced programs: calls are inlined, constants are known, scopes are joined."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import flatten, trace, walk

X = np.array([[0.5, -1.0, 2.0], [-0.25, 3.0, 1.5]], np.float32)
MATRIX = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 1.0], [3.0, 0.5, 1.0]], np.float32)


def branched(x):
    return lax.cond(x[0, 0] > 0, lambda x: jnp.sin(x) * 2.0, lambda x: jnp.sin(x) * x, x)


def nested(x):
    return lax.scan(lambda c, _: (branched(c), None), x, None, length=3)[0]


def primitives(function, *args):
    return [step.primitive.name for step in trace(function, *args)[0].steps]


@pytest.mark.parametrize("wrap", [jax.jit, jax.remat, lambda f: jax.jit(jax.remat(jax.jit(f)))])
def test_calls_are_inlined(wrap):
    assert primitives(wrap(lambda x: jnp.sin(x) + 1.0), X) == ["sin", "add"]


def test_a_jitted_function_called_twice_is_inlined_twice():
    sine = jax.jit(jnp.sin)
    program, _ = trace(lambda x: sine(sine(x)), X)
    first, second = program.steps
    assert [first.primitive.name, second.primitive.name] == ["sin", "sin"]
    assert (first.inputs, second.inputs, second.outputs) == (program.inputs, first.outputs, program.outputs)
    np.testing.assert_array_equal(evaluate(program, [X], program.outputs)[0], jnp.sin(jnp.sin(X)))


def test_closed_over_arrays_are_known():
    inner = jax.jit(lambda x: x @ MATRIX)
    program, _ = trace(lambda x: inner(x) @ jnp.asarray(MATRIX), X)
    products = [step for step in program.steps if step.primitive.name == "dot_general"]
    assert len(products) == 2
    for step in products:
        np.testing.assert_array_equal(step.inputs[1].known, MATRIX)
    np.testing.assert_allclose(evaluate(program, [X], program.outputs)[0], X @ MATRIX @ MATRIX, rtol=1e-6)


def test_arrays_of_different_values_and_keys_have_no_scalar():
    key = jax.random.key(3)
    program, _ = trace(lambda x: jnp.stack([x @ MATRIX, x * jax.random.key_data(key)[1].astype(x.dtype)]), X)
    assert all(value.scalar is None for step in program.steps[:2] for value in step.inputs)
    np.testing.assert_allclose(evaluate(program, [X], program.outputs)[0], [X @ MATRIX, 3.0 * X], rtol=1e-6)


def test_scopes_are_joined_through_calls():
    def function(x):
        with jax.named_scope("outer"):
            return jax.jit(jax.named_scope("inner")(jnp.sin))(x)

    (step,) = trace(function, X)[0].steps
    assert step.scope == "outer/inner"


def test_walking_visits_the_bodies_of_scans_and_conds_once():
    program = flatten(jax.make_jaxpr(nested)(X))
    found = [step.primitive.name for _, step in walk(program)]
    assert (found.count("scan"), found.count("cond"), found.count("sin")) == (1, 1, 2)
