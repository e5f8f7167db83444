"""Max pooling by comparisons has XLA's own values and gradients, ties included, without XLA's scatter."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from featviz.gradients.max_pooling import MAX_JOINT_WINDOW, indexed_max_pool
from featviz.tracing.evaluation import rewrite
from featviz.tracing.program import trace

RNG = np.random.default_rng(0)
SCATTER = "select_and_scatter_add"
# Window, stride, padding, height and width.
CASES = [
    (2, 2, "VALID", (8, 8)),
    (2, 2, "VALID", (7, 9)),
    (3, 2, "SAME", (8, 7)),
    (3, 2, ((0, 1), (0, 0)), (8, 9)),
    (3, 1, "SAME", (5, 6)),
    (2, 3, "VALID", (9, 10)),
    (1, 2, "VALID", (5, 4)),
    (5, 2, ((2, 1), (0, 3)), (7, 6)),
    (4, 3, ((1, 3), (2, 0)), (11, 5)),
]
# Windows that are compared axis by axis.
LARGE = [
    (4, 1, "SAME", (6, 5)),
    (5, 3, "VALID", (14, 13)),
    (6, 2, ((3, 2), (0, 5)), (9, 12)),
    (7, 7, "VALID", (15, 21)),
    (9, 4, "SAME", (9, 7)),
]


def pooling(window, stride, padding):
    return lambda x: nn.max_pool(x, (window, window), strides=(stride, stride), padding=padding)


def ruled(function, x):
    run = rewrite(jax.make_jaxpr(function)(x), [indexed_max_pool])
    return lambda x: run(x)[0]


def whole(shape, low, high, dtype=jnp.float32):
    """Whole numbers, whose sums are exact in any order; few of them, so many ties."""
    return jnp.asarray(RNG.integers(low, high, shape), dtype)


@pytest.mark.parametrize(
    ("window", "stride", "padding", "size", "levels", "dtype"),
    [(*case, 3, jnp.float32) for case in CASES + LARGE]
    + [(*case, 200, jnp.float32) for case in CASES[::3]]
    + [(*case, 200, jnp.float32) for case in LARGE[::2]]
    + [(*case, 3, jnp.bfloat16) for case in CASES[1::3] + LARGE[1:2]],
)
def test_values_and_gradients_are_those_of_xla(window, stride, padding, size, levels, dtype):
    pool = pooling(window, stride, padding)
    x = whole((2, *size, 3), -levels, levels, dtype)
    g = whole(jax.eval_shape(pool, x).shape, -4, 5, dtype)

    def backwards(f):
        return jax.jit(lambda x, g: (f(x), jax.vjp(f, x)[1](g)[0]))(x, g)

    for ours, xla in zip(backwards(ruled(pool, x)), backwards(pool), strict=True):
        assert ours.dtype == xla.dtype == dtype
        np.testing.assert_array_equal(np.asarray(ours, np.float32), np.asarray(xla, np.float32))


@pytest.mark.parametrize("quantized", [False, True])
def test_a_chain_of_poolings_under_vmap(quantized):
    lanes = RNG.normal(size=(3, 2, 11, 12, 2)).astype(np.float32)
    lanes = np.round(lanes) if quantized else lanes

    def network(x):
        return jnp.sum(jnp.square(pooling(2, 2, "SAME")(jnp.sin(pooling(3, 2, "VALID")(x)))))

    ours = jax.jit(jax.vmap(jax.grad(ruled(network, lanes[0]))))(lanes)
    xla = jax.jit(jax.vmap(jax.grad(network)))(lanes)
    np.testing.assert_allclose(ours, xla, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 9, 3), (2, 5, 6, 7, 2)])
def test_any_rank_of_space_pools(shape):
    x = whole(shape, -3, 3)
    space = len(shape) - 2

    def network(x):
        return jnp.sum(nn.max_pool(x, (3,) * space, strides=(2,) * space, padding="SAME"))

    np.testing.assert_array_equal(jax.jit(jax.grad(ruled(network, x)))(x), jax.jit(jax.grad(network))(x))


@pytest.mark.parametrize(("window", "stages"), [((3, 3), 1), ((2, 4), 1), ((9, 1), 1), ((2, 5), 2), ((4, 4), 2)])
def test_windows_of_more_than_nine_elements_are_compared_axis_by_axis(window, stages):
    assert stages == 1 + (window[0] * window[1] > MAX_JOINT_WINDOW)
    x = whole((2, 11, 12, 2), -3, 3)
    network = lambda x: nn.max_pool(x, window, strides=(2, 1), padding="SAME")  # noqa: E731
    assert primitives(ruled(network, x), x).count("custom_vjp_call") == stages
    g = whole(network(x).shape, -4, 5)
    ours, xla = (jax.jit(lambda x, f=f: jax.vjp(f, x)[1](g)[0])(x) for f in (ruled(network, x), network))
    np.testing.assert_array_equal(ours, xla)


@pytest.mark.parametrize("length", [254, 255, 300])
def test_a_window_whose_offsets_do_not_fit_a_byte_is_declined(length):
    x = whole((1, length + 20, 2), -9, 9)
    network = lambda x: jnp.sum(jnp.square(nn.max_pool(x, (length,), strides=(3,))))  # noqa: E731
    assert ("reduce_window_max" in primitives(ruled(network, x), x)) == (length > 254)
    np.testing.assert_array_equal(jax.jit(jax.grad(ruled(network, x)))(x), jax.jit(jax.grad(network))(x))


class Pooled(nnx.Module):
    """A network of nnx, which pools by a function of its own and has its variables within it."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.conv(x)), (3, 3), strides=(2, 2), padding="SAME")
        return jnp.sum(jnp.square(nnx.max_pool(x, (2, 2), strides=(2, 2))))


@pytest.mark.parametrize("network", [Pooled(nnx.Rngs(0)), nnx.jit(Pooled(nnx.Rngs(1)))], ids=["module", "compiled"])
def test_a_network_of_nnx(network):
    x = jnp.asarray(RNG.normal(size=(2, 13, 16, 3)), jnp.float32)
    assert gradient_text(network, x).count(SCATTER) == 2
    assert SCATTER not in gradient_text(ruled(network, x), x)
    xla = jax.jit(jax.grad(network))(x)
    np.testing.assert_allclose(jax.jit(jax.grad(ruled(network, x)))(x), xla, rtol=1e-5, atol=1e-6 * np.abs(xla).max())


def test_plain_functions_of_nnx_pool_alike():
    x = whole((2, 9, 8, 3), -3, 3)
    for network in (lambda x: nnx.max_pool(x, (3, 3), strides=(2, 2)), lambda x: nnx.max_pool(x, (3, 3))):
        assert gradient_text(network, x).count(SCATTER) == 1
        again = ruled(network, x)
        assert SCATTER not in gradient_text(again, x)
        np.testing.assert_array_equal(again(x), network(x))


def gradient_text(network, x):
    return str(jax.make_jaxpr(jax.grad(lambda x: jnp.sum(network(x))))(x))


def test_the_rule_takes_the_scatter_out_of_the_program():
    x, pool = jnp.zeros((1, 8, 8, 1)), pooling(3, 2, "SAME")
    assert SCATTER in gradient_text(pool, x)
    assert SCATTER not in gradient_text(ruled(pool, x), x)


def primitives(function, x):
    return [step.primitive.name for step in trace(function, x)[0].steps]


DECLINED = {
    "dilated windows": lambda x: lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID", window_dilation=(1, 2, 2, 1)
    ),
    "a dilated image": lambda x: lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID", base_dilation=(1, 2, 2, 1)
    ),
    "cropping": lambda x: lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), ((0, 0), (-1, 0), (0, -1), (0, 0))
    ),
    "average pooling": lambda x: nn.avg_pool(x, (2, 2), strides=(2, 2)),
    "min pooling": lambda x: lax.reduce_window(x, jnp.inf, lax.min, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
    "integers": lambda x: lax.reduce_window(
        x.astype(jnp.int32), jnp.iinfo(jnp.int32).min, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
    ).astype(jnp.float32),
}


@pytest.mark.parametrize("name", DECLINED)
def test_what_the_rule_declines_runs_as_it_is(name):
    network, x = DECLINED[name], whole((1, 8, 8, 2), -9, 9)
    # Flax's own avg_pool divides by an integer.
    with jax.numpy_dtype_promotion("standard"):
        again = ruled(network, x)
        assert primitives(again, x) == primitives(network, x)
        np.testing.assert_array_equal(again(x), network(x))
