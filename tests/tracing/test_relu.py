"""ReLUs are found in each form in which they are written, and nothing else is."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.tracing.program import trace, walk
from featviz.tracing.relu import count_relus, find_relu, find_relus
from featviz.zoo.registry import ZOO

X = np.array([[0.5, -1.0, 7.0], [-0.25, 6.5, 0.0]], np.float32)
Y = X[:, ::-1].copy()

PLAIN = {
    "jax.nn.relu": jax.nn.relu,
    "flax nn.relu": nn.relu,
    "maximum(x, 0)": lambda x: jnp.maximum(x, 0),
    "maximum(0, x)": lambda x: jnp.maximum(0, x),
    "maximum(x, zeros)": lambda x: jnp.maximum(x, jnp.zeros_like(x)),
    "lax.max(x, 0)": lambda x: lax.max(x, jnp.zeros((), x.dtype)),
    "where(x > 0, x, 0)": lambda x: jnp.where(x > 0, x, 0),
    "where(x >= 0, x, 0)": lambda x: jnp.where(x >= 0, x, 0),
    "where(0 < x, x, 0)": lambda x: jnp.where(jnp.less(0, x), x, 0),
    "where(x < 0, 0, x)": lambda x: jnp.where(x < 0, 0, x),
    "where(x <= 0, 0, x)": lambda x: jnp.where(x <= 0, 0, x),
    "where(0 >= x, 0, x)": lambda x: jnp.where(jnp.greater_equal(0, x), 0, x),
    "where(x > 0, x, zeros)": lambda x: jnp.where(x > 0, x, jnp.zeros_like(x)),
    "lax.select": lambda x: lax.select(x > 0, x, jnp.zeros_like(x)),
    "clip(x, 0)": lambda x: jnp.clip(x, 0),
}
CAPPED = {
    "jax.nn.relu6": jax.nn.relu6,
    "flax nn.relu6": nn.relu6,
    "clip(x, 0, 6)": lambda x: jnp.clip(x, 0, 6),
    "lax.clamp(0, x, 6)": lambda x: lax.clamp(jnp.zeros((), x.dtype), x, jnp.full((), 6, x.dtype)),
    "min(max(x, 0), 6)": lambda x: jnp.minimum(jnp.maximum(x, 0), 6),
    "min(6, max(0, x))": lambda x: jnp.minimum(6, jnp.maximum(0, x)),
    "max(min(x, 6), 0)": lambda x: jnp.maximum(jnp.minimum(x, 6), 0),
    "min(relu(x), 6)": lambda x: jnp.minimum(nn.relu(x), 6),
    "min(where(x > 0, x, 0), 6)": lambda x: jnp.minimum(jnp.where(x > 0, x, 0), 6),
}
WRAPPERS = {
    "alone": lambda f: f,
    "jit": jax.jit,
    "jit of jit": lambda f: jax.jit(jax.jit(f)),
    "remat": jax.remat,
    "scan": lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0],
    "cond": lambda f: lambda x: lax.cond(x[0, 0] > 0, f, jnp.sin, x),
    "scan of cond": lambda f: WRAPPERS["scan"](WRAPPERS["cond"](f)),
}


@jax.custom_vjp
def foreign(x):
    return jnp.maximum(x, 0)


foreign.defvjp(lambda x: (jnp.maximum(x, 0), x), lambda x, g: (g,))


@jax.custom_jvp
def scaled(x):
    """A custom_jvp that ends in a max with zero, but not of its argument."""
    return jnp.maximum(2.0 * x, 0.0)


scaled.defjvp(lambda primals, tangents: (scaled(primals[0]), tangents[0]))

OTHERS = {
    "the variance of a norm": lambda x: x * jnp.maximum(0.0, jnp.var(x, axis=-1, keepdims=True)),
    "leaky_relu": jax.nn.leaky_relu,
    "gelu": jax.nn.gelu,
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "hard_tanh": jax.nn.hard_tanh,
    "abs": jnp.abs,
    "max(x, 1)": lambda x: jnp.maximum(x, 1),
    "min(x, 6)": lambda x: jnp.minimum(x, 6),
    "min(x, 0)": lambda x: jnp.minimum(x, 0),
    "maximum of two arrays": lambda x: jnp.maximum(x, Y),
    "maximum of two halves": lambda x: jnp.maximum(x, x[:, ::-1]),
    "where(x > 0, x, y)": lambda x: jnp.where(x > 0, x, Y),
    "where(x > 0, y, 0)": lambda x: jnp.where(x > 0, Y, 0),
    "where(x > 0, 2x, 0)": lambda x: jnp.where(x > 0, 2 * x, 0),
    "where(x > 0, 0, x)": lambda x: jnp.where(x > 0, 0, x),
    "where(x > 1, x, 0)": lambda x: jnp.where(x > 1, x, 0),
    "where(x != 0, x, 0)": lambda x: jnp.where(x != 0, x, 0),
    "clip(x, -1, 1)": lambda x: jnp.clip(x, -1, 1),
    "clamp of an empty range": lambda x: lax.clamp(jnp.zeros(()), x, jnp.full((), -1.0)),
    "custom_vjp": foreign,
    "custom_jvp of something else": scaled,
    "integers": lambda x: jnp.maximum(x.astype(jnp.int32), 0),
    "clipped integers": lambda x: jnp.clip(x.astype(jnp.int32), 0, 5),
}


def only_relu(function, x=X):
    program, _ = trace(function, x)
    (relu,) = find_relus(program)
    return program, relu


@pytest.mark.parametrize("form", PLAIN)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_plain_relu_has_its_input_and_output(form, dtype):
    program, relu = only_relu(PLAIN[form], jnp.asarray(X, dtype))
    assert (relu.input, relu.output, relu.upper) == (program.inputs[0], program.outputs[0], None)


@pytest.mark.parametrize("form", CAPPED)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_capped_relu_is_found_once_with_its_bound(form, dtype):
    program, relu = only_relu(CAPPED[form], jnp.asarray(X, dtype))
    assert (relu.input, relu.output, relu.upper) == (program.inputs[0], program.outputs[0], 6.0)


@pytest.mark.parametrize("form", PLAIN | CAPPED)
def test_the_forms_compute_relus(form):
    upper = 6 if form in CAPPED else np.inf
    np.testing.assert_array_equal((PLAIN | CAPPED)[form](X), np.clip(X, 0, upper))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("form", PLAIN | CAPPED)
def test_every_form_counts_once_through_every_wrapper(form, wrapper):
    program, _ = trace(WRAPPERS[wrapper]((PLAIN | CAPPED)[form]), X)
    assert count_relus(program) == 1


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("form", OTHERS)
def test_nothing_else_is_found(form, wrapper):
    def function(x):
        return OTHERS[form](x).astype(x.dtype)

    program, _ = trace(WRAPPERS[wrapper](function), X)
    assert [relu for at, step in walk(program) if (relu := find_relu(at, step))] == []
    assert count_relus(program) == 0


def test_relus_of_one_input_and_of_one_another_count_each():
    program, _ = trace(lambda x: nn.relu(x) + nn.relu6(x) + nn.relu(nn.relu(x - 1.0)), X)
    assert count_relus(program) == 4
    assert [relu.upper for relu in find_relus(program)].count(6.0) == 1


def test_both_branches_of_a_cond_count():
    program, _ = trace(lambda x: lax.cond(x[0, 0] > 0, nn.relu, nn.relu6, x), X)
    assert count_relus(program) == 2


@pytest.mark.parametrize(("name", "count"), [("googlenet", 57), ("squeezenet1_1", 26), ("patterns", 13)])
def test_networks_have_as_many_relus_as_convolutions(name, count):
    module = ZOO[name].build()
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(module.init, jax.random.key(0), image)
    program, _ = trace(module.apply, variables, image)
    assert count_relus(program) == count
    assert count == sum(step.primitive.name == "conv_general_dilated" for step in program.steps)
