"""Convolutions with turned kernels, and kernels of one place as products, have XLA's values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.gradients.dense_convolution import dense_convolution, pointwise_convolution
from featviz.tracing.evaluation import rewrite

RNG = np.random.default_rng(0)
RULES = [pointwise_convolution, dense_convolution]
# Image, kernel (OIHW), stride, padding, dilation, groups.
CASES = {
    "3x3": ((2, 4, 7, 6), (5, 4, 3, 3), (1, 1), "SAME", (1, 1), 1),
    "3x3 with a stride": ((1, 4, 8, 7), (5, 4, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 1),
    "dilated with a stride": ((1, 2, 11, 9), (3, 2, 3, 2), (2, 3), ((2, 0), (1, 3)), (2, 1), 1),
    "groups": ((2, 8, 6, 6), (4, 4, 3, 3), (1, 1), "SAME", (1, 1), 2),
    "groups with a stride": ((1, 8, 6, 7), (4, 4, 3, 3), (2, 2), "VALID", (1, 1), 2),
    "one place": ((2, 4, 5, 6), (3, 4, 1, 1), (1, 1), "VALID", (1, 1), 1),
    "one place with a stride": ((2, 4, 5, 6), (3, 4, 1, 1), (2, 3), "VALID", (1, 1), 1),
    "one place, padded": ((2, 4, 5, 6), (3, 4, 1, 1), (1, 1), ((1, 0), (0, 2)), (1, 1), 1),
    "one dimension": ((2, 4, 9), (3, 4, 3), (2,), "SAME", (1,), 1),
    "three dimensions": ((1, 2, 4, 5, 4), (3, 2, 2, 1, 3), (1, 2, 1), "SAME", (1, 1, 1), 1),
}


def whole(shape, dtype=np.float32):
    """Small whole numbers, whose products and sums are exact in any order."""
    return jnp.asarray(RNG.integers(-2, 3, shape), dtype)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_xla(name, last):
    image, kernel, stride, padding, dilation, groups = CASES[name]
    space = "HWD"[: len(image) - 2]
    first = (f"NC{space}", f"OI{space}", f"NC{space}")
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C") if last else first
    x = jnp.transpose(whole(image), [first[0].index(axis) for axis in numbers[0]])
    k = jnp.transpose(whole(kernel), [first[1].index(axis) for axis in numbers[1]])

    def conv(x, k):
        return lax.conv_general_dilated(
            x, k, stride, padding, None, dilation, dimension_numbers=numbers, feature_group_count=groups
        )

    run = rewrite(jax.make_jaxpr(conv)(x, k), RULES)
    g = whole(jax.eval_shape(conv, x, k).shape)
    for ours, xla in zip(
        jax.jit(lambda x, k: (run(x, k)[0], *jax.vjp(lambda *a: run(*a)[0], x, k)[1](g)))(x, k),
        jax.jit(lambda x, k: (conv(x, k), *jax.vjp(conv, x, k)[1](g)))(x, k),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, xla)
    is_product = name in ("one place", "one place with a stride")
    assert ("dot_general" in str(jax.make_jaxpr(run)(x, k))) is is_product


def test_the_gradient_turns_its_kernel_by_steps_of_its_own():
    x, k = whole((1, 6, 6, 3)), whole((3, 3, 3, 4))

    def conv(x, k):
        return lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    run = rewrite(jax.make_jaxpr(conv)(x, k), RULES)
    text = str(jax.make_jaxpr(lambda x, k: jax.vjp(lambda x: run(x, k)[0], x)[1](conv(x, k)))(x, k))
    assert "rev[" in text
    assert "rhs_spec=(2, 3, 0, 1)" not in text


@pytest.mark.parametrize("padding", [((1, 1), (0, 2)), ((3, 1), (2, 4)), ((0, 3), (1, -1))])
@pytest.mark.parametrize("groups", [1, 3])
def test_transposed_convolutions(padding, groups):
    """Their gradient is a strided convolution that crops where the padding is larger than the kernel."""
    x, k = whole((1, 3, 4, 3)), whole((3, 3, 3 // groups, 6))

    def conv(x, k):
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, k, (1, 1), padding, (2, 3), dimension_numbers=numbers, feature_group_count=groups
        )

    run = rewrite(jax.make_jaxpr(conv)(x, k), RULES)
    y, pull_back = jax.vjp(lambda x: run(x, k)[0], x)
    np.testing.assert_array_equal(y, conv(x, k))
    g = whole(y.shape)
    jacobian = jax.jacfwd(lambda x: conv(x, k))(x)
    np.testing.assert_array_equal(pull_back(g)[0], jnp.tensordot(g, jacobian, 4))


def test_a_strided_convolution_that_is_cropped_in_front_and_padded_behind():
    x, k = whole((1, 7, 7, 3)), whole((3, 3, 3, 2))

    def conv(x, k, padding=((-1, 1), (0, 0))):
        return lax.conv_general_dilated(x, k, (2, 2), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    run = rewrite(jax.make_jaxpr(conv)(x, k), RULES)
    expected = conv(jnp.pad(x[:, 1:], ((0, 0), (0, 1), (0, 0), (0, 0))), k, "VALID")
    np.testing.assert_array_equal(run(x, k)[0], expected)


def test_what_is_strided_on_both_sides_runs_as_it_is():
    x, k = whole((1, 6, 6, 3)), whole((3, 3, 3, 4))

    def conv(x, k):
        return lax.conv_general_dilated(
            x, k, (2, 2), ((1, 1), (1, 1)), (3, 3), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    run = rewrite(jax.make_jaxpr(conv)(x, k), RULES)
    assert str(jax.make_jaxpr(lambda *a: run(*a)[0])(x, k)) == str(jax.make_jaxpr(conv)(x, k))
