"""Convolutions of narrow groups by shifts have the values and gradients of the definition, in any layout."""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax

from featviz.gradients.channels_last import Geometry, convolve
from featviz.gradients.shifted_convolution import MAX_GROUP, grouped_convolution, shifted_convolution
from featviz.tracing.evaluation import rewrite

RNG = np.random.default_rng(0)


def whole(shape):
    """Small whole numbers, whose products and sums are exact in any order."""
    return RNG.integers(-2, 3, shape).astype(np.float32)


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    steps, ones = each(1, 3), (1,) * rank
    stride, dilation = draw(st.sampled_from([(steps, ones), (ones, steps)]))
    padding = tuple(zip(each(-1, 3), each(-1, 3), strict=True))
    geometry = Geometry(stride, padding, dilation, each(1, 2), draw(st.integers(1, 3)))
    sizes, window = each(1, 6), each(1, 3)
    for size, spread, (low, high), taps, reach in zip(
        sizes, dilation, padding, window, geometry.kernel_dilation, strict=True
    ):
        assume((size - 1) * spread + 1 + low + high >= (taps - 1) * reach + 1)
        # XLA's own strided convolution is wrong where it is cropped on one side and padded on the other (0.10, CPU).
        assume(low >= 0 <= high)
    return geometry, sizes, window, draw(st.integers(1, 3)), draw(st.integers(1, 3))


@given(geometries())
@settings(max_examples=15, deadline=None)
def test_values_and_gradients_are_those_of_xla(case):
    geometry, sizes, window, inputs, outputs = case
    x = whole((2, *sizes, geometry.groups * inputs))
    kernel = whole((*window, inputs, geometry.groups * outputs))
    g = whole(jax.eval_shape(lambda x, k: convolve(geometry, x, k), x, kernel).shape)

    @jax.jit
    def both(x, kernel, g):
        results = []
        for function in (convolve, grouped_convolution):
            y, pull_back = jax.vjp(lambda x, k, function=function: function(geometry, x, k), x, kernel)
            # XLA's gradient of a transposed convolution crops; the transpose of the forward sum is the definition.
            results.append((y, *pull_back(g)))
        return results

    xla, ours = both(x, kernel, g)
    lows = [reach * (taps - 1) - low for (low, _), reach, taps in
            zip(geometry.padding, geometry.kernel_dilation, window, strict=True)]  # fmt: skip
    for name, a, b in zip(("y", "dx", "dk"), ours, xla, strict=True):
        if name == "dx" and min(lows) < 0:
            continue
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_the_gradient_is_the_transpose_where_the_forward_is_cropped():
    geometry = Geometry((1, 1), ((2, 2), (3, 1)), (3, 3), (1, 1), 2)
    x, kernel = whole((1, 6, 2, 2)), whole((3, 3, 1, 6))
    y, pull_back = jax.vjp(lambda x: grouped_convolution(geometry, x, kernel), x)
    g = whole(y.shape)
    basis = np.eye(x.size, dtype=np.float32).reshape(x.size, *x.shape)
    expected = [np.vdot(g, grouped_convolution(geometry, part, kernel)) for part in basis]
    np.testing.assert_array_equal(np.ravel(pull_back(g)[0]), expected)


LAYOUTS = [("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("NCHW", "HWIO", "NHWC"), ("HWNC", "IOHW", "CNHW")]


@pytest.mark.parametrize("numbers", LAYOUTS)
@pytest.mark.parametrize(("stride", "multiplier"), [((1, 1), 1), ((2, 1), 2)])
def test_every_layout(numbers, stride, multiplier):
    sizes = {"N": 2, "H": 15, "W": 14, "C": 3}
    x = whole([sizes[axis] for axis in numbers[0]])
    kernel = whole([{"H": 3, "W": 5, "I": 1, "O": 3 * multiplier}[axis] for axis in numbers[1]])

    def conv(x, k):
        return lax.conv_general_dilated(
            x, k, stride, "SAME", dimension_numbers=numbers, feature_group_count=3, rhs_dilation=(1, 2)
        )

    run = rewrite(jax.make_jaxpr(conv)(x, kernel), [shifted_convolution])
    applies = multiplier == 1
    assert ("conv_general_dilated" not in str(jax.make_jaxpr(run)(x, kernel))) is (
        applies or _is_large(conv, x, kernel)
    )
    g = whole(jax.eval_shape(conv, x, kernel).shape)
    for ours, xla in zip(
        jax.jit(lambda *a: (run(*a)[0], *jax.vjp(lambda *b: run(*b)[0], *a)[1](g)))(x, kernel),
        jax.jit(lambda *a: (conv(*a), *jax.vjp(conv, *a)[1](g)))(x, kernel),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, xla)


def _is_large(conv, x, kernel):
    return prod(jax.eval_shape(conv, x, kernel).shape) // (2 * 6) >= 196


def grouped(groups, **options):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lambda x, k: lax.conv_general_dilated(
        x, k, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=groups, **options
    )


DECLINED = {
    "dense": (grouped(1), (1, 16, 16, 4), (3, 3, 4, 4)),
    "wide groups": (grouped(2), (1, 16, 16, 32), (3, 3, 16, 32)),
    "many outputs of an input": (grouped(2), (1, 16, 16, 2), (3, 3, 1, 2 * (MAX_GROUP + 1))),
    "groups of two on a small map": (grouped(2), (1, 8, 8, 4), (3, 3, 2, 4)),
    "whole numbers": (grouped(3), (1, 4, 4, 3), (3, 3, 1, 3)),
}


@pytest.mark.parametrize("name", DECLINED)
def test_what_the_rule_declines_runs_as_it_is(name):
    conv, *shapes = DECLINED[name]
    args = [jnp.asarray(whole(shape), jnp.int32 if name == "whole numbers" else jnp.float32) for shape in shapes]
    again = rewrite(jax.make_jaxpr(conv)(*args), [shifted_convolution])
    assert str(jax.make_jaxpr(lambda *a: again(*a)[0])(*args)) == str(jax.make_jaxpr(conv)(*args))


def test_lanes_and_a_large_kernel():
    conv = grouped(2)
    x, kernel = whole((3, 1, 14, 14, 2)), whole((13, 13, 1, 2))
    run = rewrite(jax.make_jaxpr(conv)(x[0], kernel), [shifted_convolution])
    ours = jax.jit(jax.vmap(jax.grad(lambda x: jnp.sum(run(x, kernel)[0] ** 2))))(x)
    xla = jax.jit(jax.vmap(jax.grad(lambda x: jnp.sum(conv(x, kernel) ** 2))))(x)
    np.testing.assert_array_equal(ours, xla)
