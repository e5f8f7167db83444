"""Convolutions by phases have XLA's own values and gradients."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from featviz.gradients import convolution as room
from featviz.gradients.convolution import phased_convolution
from featviz.tracing.evaluation import rewrite

RULES = [phased_convolution]
RNG = np.random.default_rng(0)
# Kernel, stride, padding, height and width.
STRIDED = [
    ((3, 3), (2, 2), "SAME", (8, 7)),
    ((3, 3), (2, 2), "VALID", (9, 8)),
    ((7, 7), (2, 2), ((3, 3), (3, 3)), (15, 16)),
    ((4, 5), (3, 2), ((0, 2), (3, 1)), (11, 6)),
    ((1, 1), (2, 2), "VALID", (7, 6)),
    ((2, 2), (3, 4), "SAME", (10, 9)),
    ((5, 1), (1, 2), "SAME", (6, 7)),
    ((3, 3), (2, 2), ((4, 0), (0, 5)), (5, 5)),
]


def convolution(stride, padding, **options):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lambda x, k: lax.conv_general_dilated(x, k, stride, padding, dimension_numbers=numbers, **options)


def ruled(function, *args):
    run = rewrite(jax.make_jaxpr(function)(*args), RULES)
    return lambda *args: run(*args)[0]


def whole(shape, dtype=jnp.float32):
    """Small whole numbers, whose products and sums are exact in any order."""
    return jnp.asarray(RNG.integers(-1, 2, shape), dtype)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size", "dtype"),
    [(*case, jnp.float32) for case in STRIDED] + [(*case, jnp.bfloat16) for case in (STRIDED[0], STRIDED[3])],
)
def test_values_and_gradients_are_those_of_xla(monkeypatch, kernel, stride, padding, size, dtype):
    monkeypatch.setattr(room, "MAX_PADDING_RATIO", np.inf)
    conv = convolution(stride, padding)
    args = whole((2, *size, 3), dtype), whole((*kernel, 3, 2), dtype)
    g = whole(jax.eval_shape(conv, *args).shape, dtype)

    def backwards(f):
        return jax.jit(lambda g, *args: (f(*args), *jax.vjp(f, *args)[1](g)))(g, *args)

    for ours, xla in zip(backwards(ruled(conv, *args)), backwards(conv), strict=True):
        assert ours.dtype == xla.dtype == dtype
        np.testing.assert_array_equal(np.asarray(ours, np.float32), np.asarray(xla, np.float32))


class Network(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (7, 7), strides=2, name="first")(x))
        x = nn.relu(nn.Conv(6, (1, 1), name="middle")(x))
        return jnp.sum(jnp.square(nn.Conv(3, (4, 4), strides=2, padding="VALID", name="last")(x)))


def test_a_network_under_vmap_over_lanes():
    lanes = RNG.normal(size=(3, 2, 17, 18, 3)).astype(np.float32)
    shapes = jax.eval_shape(Network().init, jax.random.key(0), lanes[0])
    variables = jax.tree.map(lambda leaf: RNG.normal(size=leaf.shape).astype(np.float32), shapes)

    def network(x):
        return Network().apply(variables, x)

    ours = jax.jit(jax.vmap(jax.grad(ruled(network, lanes[0]))))(lanes)
    xla = jax.jit(jax.vmap(jax.grad(network)))(lanes)
    np.testing.assert_allclose(ours, xla, rtol=1e-4, atol=1e-5 * np.abs(xla).max())


class Nnx(nnx.Module):
    """The same network in nnx."""

    def __init__(self, rngs):
        self.first = nnx.Conv(3, 4, (7, 7), strides=2, rngs=rngs)
        self.middle = nnx.Conv(4, 6, (1, 1), rngs=rngs)
        self.last = nnx.Conv(6, 3, (4, 4), strides=2, padding="VALID", rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.middle(nnx.relu(self.first(x))))
        return jnp.sum(jnp.square(self.last(x)))


def test_a_network_of_nnx_by_its_variables():
    graph, state = nnx.split(Nnx(nnx.Rngs(0)))
    x = jnp.asarray(RNG.normal(size=(2, 17, 18, 3)), jnp.float32)

    def network(state, x):
        return nnx.merge(graph, state)(x)

    leaves, structure = jax.tree.flatten(state)

    def flat(x, *leaves):
        return network(jax.tree.unflatten(structure, leaves), x)

    again = ruled(flat, x, *leaves)
    text = str(jax.make_jaxpr(jax.grad(again))(x, *leaves))
    assert "lhs_dilation=(2, 2)" not in text
    for ours, xla in zip(
        jax.jit(jax.grad(again, range(len(leaves) + 1)))(x, *leaves),
        jax.jit(jax.grad(flat, range(len(leaves) + 1)))(x, *leaves),
        strict=True,
    ):
        np.testing.assert_allclose(ours, xla, rtol=1e-4, atol=1e-5 * np.abs(xla).max())


def gradient_text(conv, x, k):
    return str(jax.make_jaxpr(jax.grad(lambda x: jnp.sum(conv(x, k))))(x))


def test_a_strided_gradient_has_no_dilated_convolution():
    x, k, conv = jnp.zeros((1, 8, 8, 2)), jnp.zeros((4, 4, 2, 4)), convolution((2, 2), "SAME")
    assert "lhs_dilation=(2, 2)" in gradient_text(conv, x, k)
    assert "lhs_dilation=(2, 2)" not in gradient_text(ruled(conv, x, k), x, k)


@pytest.mark.parametrize(("side", "stride"), [(4, 2), (7, 2)])
def test_the_precision_asked_for_is_kept(side, stride):
    x, k = jnp.zeros((1, 8, 8, 2)), jnp.zeros((side, side, 2, 4))
    conv = convolution((stride, stride), "SAME", precision="highest")
    text = gradient_text(ruled(conv, x, k), x, k)
    assert "Precision.HIGHEST" in text
    assert "precision=None" not in text


# What the rules leave alone: the convolution, and the shapes of image and kernel.
DECLINED = {
    "a dense one of stride 1": (convolution((1, 1), "SAME"), (2, 6, 6, 2), (3, 3, 2, 2)),
    "1x1": (convolution((1, 1), "SAME"), (2, 6, 6, 2), (1, 1, 2, 2)),
    "a kernel that phases would enlarge": (convolution((2, 2), "SAME"), (2, 6, 6, 2), (3, 3, 2, 2)),
    "a kernel smaller than its stride": (convolution((2, 2), "SAME"), (2, 6, 6, 2), (1, 1, 2, 2)),
    "a dilated kernel": (convolution((2, 2), "SAME", rhs_dilation=(2, 2)), (2, 9, 9, 2), (4, 4, 2, 2)),
    "a dilated image": (convolution((2, 2), ((0, 0), (0, 0)), lhs_dilation=(2, 2)), (2, 6, 6, 2), (4, 4, 2, 2)),
    "groups": (convolution((2, 2), "SAME", feature_group_count=2), (2, 6, 6, 4), (4, 4, 2, 4)),
    "batch groups": (convolution((2, 2), "SAME", batch_group_count=2), (2, 6, 6, 2), (4, 4, 2, 4)),
    "cropping": (convolution((2, 2), ((-1, 0), (0, -2))), (2, 9, 9, 2), (4, 4, 2, 2)),
    "one dimension": (
        lambda x, k: lax.conv_general_dilated(x, k, (2,), "SAME", dimension_numbers=("NHC", "HIO", "NHC")),
        (2, 6, 2),
        (3, 2, 2),
    ),
}


@pytest.mark.parametrize("name", DECLINED)
def test_what_the_rules_decline_runs_as_it_is(name):
    conv, *shapes = DECLINED[name]
    args = [whole(shape) for shape in shapes]
    again = ruled(conv, *args)
    assert str(jax.make_jaxpr(again)(*args)) == str(jax.make_jaxpr(conv)(*args))
    np.testing.assert_array_equal(again(*args), conv(*args))


def test_channels_first_is_the_same():
    x, k = whole((2, 3, 9, 8)), whole((5, 3, 4, 4))

    def conv(x, k):
        return lax.conv(x, k, (2, 2), "SAME")

    assert "lhs_dilation=(2, 2)" not in gradient_text(ruled(conv, x, k), x, k)
    g = whole(jax.eval_shape(conv, x, k).shape)
    for ours, xla in zip(jax.vjp(ruled(conv, x, k), x, k)[1](g), jax.vjp(conv, x, k)[1](g), strict=True):
        np.testing.assert_array_equal(ours, xla)


def test_integer_and_mixed_convolutions_run_as_they_are():
    x, k = whole((1, 6, 6, 2), jnp.int32), whole((3, 3, 2, 2), jnp.int32)
    conv = convolution((2, 2), "SAME")
    np.testing.assert_array_equal(ruled(conv, x, k)(x, k), conv(x, k))
    assert str(jax.make_jaxpr(ruled(conv, x, k))(x, k)) == str(jax.make_jaxpr(conv)(x, k))
    wide = convolution((2, 2), "SAME", preferred_element_type=jnp.float32)
    halves = x.astype(jnp.bfloat16), k.astype(jnp.bfloat16)
    assert ruled(wide, *halves)(*halves).dtype == jnp.float32
