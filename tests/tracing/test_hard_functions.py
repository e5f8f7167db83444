"""Hard swishes and hard sigmoids in the forms in which they are written: one function, with its own values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.tracing.evaluation import evaluate
from featviz.tracing.hard_functions import find_hard_functions
from featviz.tracing.program import trace

X = np.random.default_rng(0).normal(0, 3, size=(2, 6)).astype(np.float32)
FUNCTIONS = {
    "hard_swish": jax.nn.hard_swish,
    "hard_swish by relu6": lambda x: x * jax.nn.relu6(x + 3) / 6,
    "hard_swish by a factor": lambda x: x * (jnp.clip(x + 3, 0, 6) * (1 / 6)),
    "hard_swish by a sigmoid": lambda x: x * jnp.clip(x / 6 + 0.5, 0, 1),
    "hard_swish by branches": lambda x: jnp.where(x <= -3, 0.0, jnp.where(x >= 3, x, x * (x + 3) / 6)),
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_sigmoid of Keras": lambda x: jnp.minimum(jnp.maximum(0.2 * x + 0.5, 0), 1),
}
OTHERS = {
    "relu6": jax.nn.relu6,
    "another slope": lambda x: jnp.clip(x * 0.3 + 0.5, 0, 1),
    "relu and its input": lambda x: x * jax.nn.relu(x + 3),
    "a gate of all": lambda x: x * jax.nn.hard_sigmoid(x.mean() * jnp.ones(6)[None]),
    "hard_tanh": jax.nn.hard_tanh,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_one_function_with_its_own_values(name):
    function = FUNCTIONS[name]
    program, _ = trace(lambda x: jnp.sum(function(x + x.mean()), -1), X)
    (found,) = find_hard_functions(program)
    assert found.function.kind == name.split()[0]
    given, value = evaluate(program, [X], [found.function.input, found.function.output])
    np.testing.assert_allclose(given, X + X.mean(), rtol=1e-6)
    np.testing.assert_allclose(value, function(given), rtol=1e-6, atol=1e-6)
    assert found.function.output not in found.within


@pytest.mark.parametrize("name", OTHERS)
def test_other_pieces_of_lines_are_none(name):
    program, _ = trace(OTHERS[name], X)
    assert not [each for each in find_hard_functions(program) if each.function.input is program.inputs[0]]


def test_a_named_value_is_where_a_function_ends():
    program, _ = trace(lambda x: x * jax.nn.hard_sigmoid(x), X)
    (found,) = find_hard_functions(program)
    gate = program.producers[found.function.output].inputs[1]
    assert [each.function.kind for each in find_hard_functions(program, known={gate})] == ["hard_sigmoid"]
