"""A constant negative power has XLA's own values and gradients, and takes no second logarithm for the gradient."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.gradients.power import constant_power
from featviz.tracing.evaluation import rewrite
from featviz.tracing.program import trace

RNG = np.random.default_rng(0)
EXPONENTS = [-0.25, -0.5, -0.75, -1.0, -1.5, -0.3]
# A few units in the last place, several operations long.
ULPS = {jnp.float32: 4e-6, jnp.bfloat16: 0.04}


def ruled(function, *args):
    run = rewrite(jax.make_jaxpr(function)(*args), [constant_power])
    return lambda *args: run(*args)[0]


def raised(exponent):
    return lambda x: x**exponent


def positive(*shape, dtype=jnp.float32):
    """Numbers over six decades."""
    return jnp.asarray(np.exp(RNG.uniform(-7, 7, shape)), dtype)


def wide(x):
    return np.asarray(x).astype(np.float64)


def backwards(function, x, g):
    """Values and gradients, lane by lane under vmap, compiled."""

    def both(x, g):
        y, vjp = jax.vjp(function, x)
        return y, vjp(g)[0]

    return jax.jit(jax.vmap(both))(x, g)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_values_and_gradients_are_those_of_numpy_and_xla(exponent, dtype):
    x, g = positive(3, 5, 7, dtype=dtype), positive(3, 5, 7, dtype=dtype)
    network = raised(exponent)
    ours, xla = backwards(ruled(network, x[0]), x, g), backwards(network, x, g)
    by_hand = wide(x) ** exponent, wide(g) * exponent * wide(x) ** (exponent - 1)
    for mine, theirs, exact in zip(ours, xla, by_hand, strict=True):
        assert mine.dtype == theirs.dtype == dtype
        np.testing.assert_allclose(wide(mine), exact, rtol=ULPS[dtype])
        np.testing.assert_allclose(wide(mine), wide(theirs), rtol=ULPS[dtype])


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_a_gradient_is_no_less_exact_than_xla(exponent):
    x, g = positive(1, 4000), jnp.ones((1, 4000))
    exact = exponent * wide(x) ** (exponent - 1)
    network = raised(exponent)
    ours, xla = (np.abs(wide(backwards(f, x, g)[1]) / exact - 1).max() for f in (ruled(network, x[0]), network))
    assert ours <= max(xla, 1e-6)


def primitives(function, *args):
    return [step.primitive.name for step in trace(function, *args)[0].steps]


# Networks of one float argument whose powers the rule leaves alone.
DECLINED = {
    "a positive exponent": lambda x: x**0.75,
    "an exponent above one": lambda x: x**2.5,
    "zero": lambda x: lax.pow(x, jnp.zeros((), x.dtype)),
    "an exponent for each element": lambda x: x ** np.full(x.shape, [-0.5, -1.0] * (x.shape[-1] // 2), x.dtype),
    "an exponent that is computed": lambda x: x ** -jnp.mean(x),
    "a whole exponent, another primitive": lambda x: x**-2,
}


@pytest.mark.parametrize("name", DECLINED)
def test_what_the_rule_declines_runs_as_it_is(name):
    network, x = DECLINED[name], positive(4, 6)
    again = ruled(network, x)
    assert primitives(again, x) == primitives(network, x)
    # Each as one program: a mean that is a program of its own may be rounded otherwise.
    np.testing.assert_array_equal(jax.jit(again)(x), jax.jit(network)(x))


def test_complex_powers_run_as_they_are():
    x, network = jnp.asarray([1 + 1j, 2, -3j], jnp.complex64), raised(-0.5)
    again = ruled(network, x)
    assert primitives(again, x) == primitives(network, x)
    np.testing.assert_array_equal(again(x), network(x))


@pytest.mark.parametrize("exponent", [-2, -3])
def test_a_whole_exponent_of_its_own_dtype(exponent):
    x, g = positive(3, 20), positive(3, 20)
    network = lambda x: lax.pow(x, jnp.int32(exponent))  # noqa: E731
    with jax.numpy_dtype_promotion("standard"):
        for ours, xla in zip(backwards(ruled(network, x[0]), x, g), backwards(network, x, g), strict=True):
            np.testing.assert_allclose(ours, xla, rtol=1e-5)


def windowed(x):
    window = (1,) * (x.ndim - 1) + (5,)
    padding = [(0, 0)] * (x.ndim - 1) + [(2, 2)]
    return lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1,) * x.ndim, padding)


def shifted(x):
    padded = jnp.pad(jnp.square(x), [(0, 0)] * (x.ndim - 1) + [(2, 2)])
    return sum(padded[..., at : at + x.shape[-1]] for at in range(5))


def banded(x):
    channels = np.arange(x.shape[-1])
    band = (np.abs(channels[:, None] - channels) <= 2).astype(np.float32)
    return jnp.matmul(jnp.square(x), band, precision="highest")


def norm(power):
    """Local response normalization with `power` as its windowed sum of squares."""
    return lambda x: x * (1.0 + (1e-2 / 5) * power(x)) ** -0.75


@pytest.mark.parametrize("power", [windowed, shifted, banded])
def test_local_response_normalization_has_the_gradient_of_xla(power):
    network = norm(power)
    x, g = (jnp.asarray(RNG.normal(size=(2, 3, 4, 5, 12)) * scale, jnp.float32) for scale in (30, 1))
    for ours, xla in zip(backwards(ruled(network, x[0]), x, g), backwards(network, x, g), strict=True):
        np.testing.assert_allclose(ours, xla, rtol=1e-5, atol=1e-5 * np.abs(xla).max())


def powers(network, x):
    """How often the program of a gradient raises to a power, or takes a logarithm or an exponential."""
    text = str(jax.make_jaxpr(jax.grad(lambda x: jnp.sum(network(x))))(x))
    return len(re.findall(r"= (pow|log|log1p|exp|exp2)\b", text))


@pytest.mark.parametrize("power", [windowed, shifted, banded])
def test_the_gradient_of_a_normalization_takes_no_power_at_all(power):
    x, network = positive(1, 4, 4, 12), norm(power)
    assert powers(network, x) == 2
    assert powers(ruled(network, x), x) == 0


def test_the_gradient_of_another_exponent_takes_one_power():
    x, network = positive(4, 6), raised(-0.3)
    assert powers(network, x) == 2
    assert powers(ruled(network, x), x) == 1
