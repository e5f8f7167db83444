"""GELU by the error function has JAX's values and gradients, also where its gradient is redirected."""

import jax
import jax.numpy as jnp
import numpy as np

from featviz.gradients.error_function import complementary_error_function
from featviz.gradients.redirect import redirected_gelu
from featviz.tracing.evaluation import rewrite

X = jnp.linspace(-9, 9, 4001)[None]


def gelu(x):
    return jax.nn.gelu(x, approximate=False)


def derivative(function, x):
    return jax.vmap(jax.vmap(jax.grad(lambda x: function(x[None, None])[0, 0])))(x)


def test_values_and_gradients_are_those_of_jax():
    run = rewrite(jax.make_jaxpr(gelu)(X), [complementary_error_function])
    one = rewrite(jax.make_jaxpr(gelu)(X[:, :1]), [complementary_error_function])
    assert "erfc" not in str(jax.make_jaxpr(run)(X))
    np.testing.assert_allclose(run(X)[0], gelu(X), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(derivative(lambda x: one(x)[0], X), derivative(gelu, X), rtol=1e-6, atol=5e-7)


def test_a_redirected_gelu_has_the_rule_too():
    rules = [complementary_error_function]
    text = str(jax.make_jaxpr(rewrite(jax.make_jaxpr(gelu)(X), [*rules, redirected_gelu(rules=rules)]))(X))
    assert "erf" in text
    assert "erfc" not in text


def test_double_precision_stays():
    with jax.enable_x64(True):
        x = np.linspace(-9, 9, 11)
        run = rewrite(jax.make_jaxpr(gelu)(x), [complementary_error_function])
        np.testing.assert_array_equal(run(x)[0], gelu(x))
