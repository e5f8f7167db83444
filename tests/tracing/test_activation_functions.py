"""Activation functions in a traced program: each ends at what the network calls its output, whatever follows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.tracing.activation_functions import find_activation_functions
from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import trace
from featviz.tracing.relu import find_relus

X = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
FUNCTIONS = {
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "tanh gelu": lambda x: jax.nn.gelu(x, approximate=True),
    "silu": jax.nn.silu,
    "silu by hand": lambda x: x * jax.nn.sigmoid(x),
    "mish": jax.nn.mish,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "softplus": jax.nn.softplus,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "leaky_relu": jax.nn.leaky_relu,
}
BEHIND = {
    "nothing": lambda y: y,
    "a product": lambda y: y @ jnp.ones((6, 3)),
    "the root of its mean square": lambda y: y / jnp.sqrt((y * y).mean(-1, keepdims=True)),
    "its mean square from a mean of zero": lambda y: (y - 0.0) * jax.lax.rsqrt((y * y).mean(-1, keepdims=True)),
    "its mean and variance": lambda y: (y - y.mean(-1, keepdims=True)) / jnp.sqrt((y**2).mean(-1, keepdims=True)),
    "itself and its square": lambda y: jnp.concatenate([y, y**2], -1),
    "a gate": lambda y: y * jax.nn.softmax(y),
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_output_is_the_functions_own(name, behind):
    function = FUNCTIONS[name]
    program, _ = trace(lambda x: BEHIND[behind](function(x)), X)
    found = [each for each in find_activation_functions(program) if each.input is program.inputs[0]]
    (value,) = evaluate(program, [X], [found[-1].output])
    np.testing.assert_allclose(value, function(X), rtol=1e-6)
    assert [each.kind for each in found] == [{"tanh gelu": "gelu", "selu": "elu"}.get(name, name.split()[0])]


def test_a_gate_that_is_used_elsewhere_is_a_function_beside_that_which_it_makes():
    def network(x):
        gate = jax.nn.sigmoid(x)
        return x * gate, gate @ jnp.ones((6, 3))

    program, _ = trace(network, X)
    found = list(find_activation_functions(program))
    assert [each.kind for each in found] == ["sigmoid", "silu"]
    values = evaluate(program, [X], [each.output for each in found])
    for value, function in zip(values, (jax.nn.sigmoid, jax.nn.silu), strict=True):
        np.testing.assert_allclose(value, function(X), rtol=1e-6)


def test_a_celu_ends_at_its_output_where_its_relu_is_known():
    program, _ = trace(lambda x: jax.nn.celu(x, 0.7) @ jnp.ones((6, 3)), X)
    relus = {relu.output for relu in find_relus(program)}
    assert relus
    (found,) = find_activation_functions(program, known=relus)
    assert found.kind == "elu" and found.input is program.inputs[0]
    (value,) = evaluate(program, [X], [found.output])
    np.testing.assert_allclose(value, jax.nn.celu(X, 0.7), rtol=1e-6)


def test_other_choices_are_no_leaky_relu():
    program, _ = trace(lambda x: jnp.where(x > 0, x, 0.1 * x**2), X)
    assert not list(find_activation_functions(program))
