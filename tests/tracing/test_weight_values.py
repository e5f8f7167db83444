"""What depends on weights alone is found, is right, and leaves the rest with the same results."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.tracing.evaluation import cut, evaluate
from featviz.tracing.program import trace
from featviz.tracing.weight_values import weight_values

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def found(function, weights, x):
    """The primitives that compute the values found, and the program with them."""
    program, _ = trace(lambda x, *leaves: function(leaves, x), x, *weights)
    values = weight_values(program, program.inputs[1:])
    ready = evaluate(program, [None, *weights], values)
    (whole,) = evaluate(program, [x, *weights], program.outputs)
    (rest,) = evaluate(cut(program, values), [x, *weights, *ready], program.outputs)
    np.testing.assert_array_equal(whole, rest)
    return [program.producers[value].primitive.name for value in values], [value.aval.shape for value in values]


def test_factors_of_a_norm_are_computed_and_not_repeated():
    def norm(weights, x):
        scale, variance = weights
        return x * (scale * lax.rsqrt(variance + 1e-5))[None, :, None]

    names, shapes = found(norm, [normal(3), np.abs(normal(3))], normal(2, 3, 4))
    assert (names, shapes) == (["mul"], [(3,)])


def test_a_turned_kernel_is_copied_and_a_matrix_is_not():
    def network(weights, x):
        kernel, matrix = weights
        turned = jnp.flip(jnp.transpose(kernel, (2, 3, 1, 0)), (0, 1))
        y = lax.conv_general_dilated(x, turned, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y @ jnp.transpose(matrix)

    names, shapes = found(network, [normal(4, 3, 3, 3), normal(5, 4)], normal(1, 6, 6, 3))
    assert (names, shapes) == (["rev"], [(3, 3, 3, 4)])


def test_reshaped_and_unused_weights_and_constants_are_left():
    def network(weights, x):
        return x * weights[0].reshape(1, 3) + jnp.arange(3.0)[None]

    assert found(network, [normal(3), normal(7)], normal(2, 3)) == ([], [])


def test_what_depends_on_the_image_is_left():
    names, _ = found(lambda weights, x: jnp.sin(x + weights[0]) * jnp.cos(weights[0]), [normal(3)], normal(3))
    assert names == ["cos"]


def test_a_weight_in_another_dtype_is_converted_once():
    def network(weights, x):
        return (x.astype(jnp.bfloat16) @ weights[0].astype(jnp.bfloat16)).astype(jnp.float32)

    assert found(network, [normal(3, 4)], normal(2, 3))[0] == ["convert_element_type"]


def test_a_result_that_is_a_weight_value():
    def network(weights, x):
        return jnp.exp(weights[0])

    assert jax.tree.leaves(found(network, [normal(2)], normal(2)))[0] == "exp"
