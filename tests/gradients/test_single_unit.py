"""One unit of a layer alone: the same numbers and gradients as that unit of the whole layer, with fewer products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from featviz.gradients.single_unit import read_single_units
from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import trace

RNG = np.random.default_rng(0)


def array(*shape):
    return jnp.asarray(RNG.normal(size=shape).astype(np.float32))


def dense(x, w):
    return x @ w[:, : x.shape[-1]].T


def row_times(x, w):
    """A product whose left side is the weights, as Keras and einsum write some."""
    return jnp.moveaxis(jnp.einsum("oi,npi->onp", w[:, : x.shape[-1]], x), 0, -1)


def convolution(x, w):
    """Channels first, one place."""
    n, places, units = x.shape
    image = jnp.moveaxis(x, -1, 1)[..., None]
    y = lax.conv_general_dilated(image, w[:, :units, None, None], (1, 1), "SAME")
    return jnp.moveaxis(y.reshape(n, -1, places), 1, -1)


# Each takes (n, places, units) to the same shape.
UNITS = 6
PRODUCTS = {
    "dense": dense,
    "rows": row_times,
    "convolution": convolution,
    "grouped convolution": lambda x, w: lax.conv_general_dilated(
        x, w[None, :2], (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"), feature_group_count=3
    ),
}
STEPS = {
    "bias": lambda x, b: x + b,
    "factor": lambda x, b: x * b,
    "residual": lambda x, b: x + jnp.tanh(x) * b,
    "relu": lambda x, b: jax.nn.relu(x),
    "relu6": lambda x, b: jax.nn.relu6(x),
    "maximum": lambda x, b: jnp.maximum(x, 0.0),
    "gelu": lambda x, b: jax.nn.gelu(x),
    "norm": lambda x, b: (x - x.mean(-1, keepdims=True)) * b,
    "turned": lambda x, b: jnp.swapaxes(jnp.swapaxes(x, 1, 2) * 2.0, 1, 2),
    "reshaped": lambda x, b: x.reshape(-1, x.shape[-1])[None].reshape(x.shape) - 1.0,
    "joined": lambda x, b: jnp.concatenate([x[..., :2], x[..., 2:] * 2.0], -1),
    "constant": lambda x, b: x + np.arange(UNITS, dtype=np.float32)[None, None],
}


@settings(max_examples=40, deadline=None)
@given(
    product=st.sampled_from(sorted(PRODUCTS)),
    names=st.lists(st.sampled_from(sorted(STEPS)), max_size=4),
    unit=st.integers(0, UNITS - 1),
)
def test_values_and_gradients_are_those_of_the_unit(product, names, unit):
    x, w, b = array(2, 5, UNITS), array(UNITS, UNITS), array(1, 1, UNITS)

    def network(x, w, b):
        y = PRODUCTS[product](jnp.sin(x), w)
        for name in names:
            y = STEPS[name](y, b)
        return y

    program, _ = trace(network, x, w, b)
    single = read_single_units(program, [0])
    index = jnp.int32(unit)

    def alone(x):
        return evaluate(single, [x, w, b, index], single.outputs)[0]

    expected, pull = jax.vjp(lambda x: network(x, w, b)[..., unit : unit + 1], x)
    found, pull_alone = jax.vjp(alone, x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    g = array(*expected.shape)
    np.testing.assert_allclose(pull_alone(g)[0], pull(g)[0], rtol=1e-4, atol=1e-5)


def products(program, names=("dot_general", "conv_general_dilated")):
    """The shapes of the results of the products that the outputs need."""
    needed, shapes = set(program.outputs), []
    for step in reversed(program.steps):
        if not needed.isdisjoint(step.outputs):
            needed.update(step.inputs)
            if step.primitive.name in names:
                shapes.append(step.outputs[0].aval.shape)
    return shapes


@pytest.mark.parametrize(
    ("end", "width"),
    [
        (lambda y, x: y + x, 1),
        (lambda y, x: jax.nn.relu(y * 2.0 + x), 1),
        # A norm over units needs all of them, and a GELU is looked for as a whole.
        (lambda y, x: y - y.mean(-1, keepdims=True), UNITS),
        (lambda y, x: jax.nn.gelu(y), UNITS),
        (lambda y, x: jnp.concatenate([y, x], -1), UNITS),
    ],
)
@pytest.mark.parametrize("product", ["dense", "rows", "convolution"])
def test_the_last_product_has_one_column_where_nothing_needs_the_others(product, end, width):
    program, _ = trace(lambda x, w: end(PRODUCTS[product](x, w), x), array(2, 5, UNITS), array(UNITS, UNITS))
    (shape,) = products(read_single_units(program, [0]))
    assert np.prod(shape) == 2 * 5 * width


def test_a_layer_that_another_output_needs_is_computed_whole():
    def network(x, w):
        y = x @ w
        return y, jnp.sin(y)

    program, _ = trace(network, array(2, 5, UNITS), array(UNITS, UNITS))
    assert products(read_single_units(program, [0])) == [(2, 5, UNITS)]


def test_two_layers_have_an_index_each():
    x, w = array(2, 5, UNITS), array(UNITS, UNITS)
    program, _ = trace(lambda x, w: (x @ w, jnp.tanh(x) @ w), x, w)
    single = read_single_units(program, [0, 1])
    first, second = evaluate(single, [x, w, jnp.int32(1), jnp.int32(4)], single.outputs)
    np.testing.assert_allclose(first, (x @ w)[..., 1:2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, (jnp.tanh(x) @ w)[..., 4:5], rtol=1e-5, atol=1e-6)
