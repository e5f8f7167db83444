"""Max pooling by comparisons has XLA's own values and gradients, ties included, without XLA's scatter."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.gradients.pooling import indexed_max_pool
from featviz.trace import rewrite, trace

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
    [(*case, 3, jnp.float32) for case in CASES]
    + [(*case, 200, jnp.float32) for case in CASES[::3]]
    + [(*case, 3, jnp.bfloat16) for case in CASES[1::3]],
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
