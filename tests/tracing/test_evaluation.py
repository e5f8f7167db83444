"""Evaluation of traced programs: which steps run, and where rules apply."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.tracing.evaluation import Replacement, cut, evaluate, rewrite
from featviz.tracing.program import trace

X = np.array([[0.5, -1.0, 2.0], [-0.25, 3.0, 1.5]], np.float32)


@jax.custom_vjp
def doubled_backwards(x):
    """x, whose gradient is 2 though its derivative is 1."""
    return x * 1.0


doubled_backwards.defvjp(lambda x: (x * 1.0, None), lambda _, g: (2.0 * g,))


@jax.custom_jvp
def tripled_tangent(x):
    """x, whose tangent is 3 though its derivative is 1."""
    return x * 1.0


tripled_tangent.defjvp(lambda primals, tangents: (primals[0] * 1.0, 3.0 * tangents[0]))


def scanned(x):
    carry, rows = lax.scan(lambda c, k: (jnp.sin(c) * k, c), x, jnp.arange(1.0, 4.0), reverse=True)
    return carry + jnp.sum(rows, axis=0)


def branched(x):
    return lax.cond(x[0, 0] > 0, lambda x: jnp.sin(x) * 2.0, lambda x: jnp.sin(x) * x, x)


def nested(x):
    return lax.scan(lambda c, _: (branched(c), None), x, None, length=3)[0]


def jitted(x):
    return jax.jit(lambda x: jax.jit(jnp.sin)(x) + jax.remat(lambda x: jnp.sin(x) * x)(x))(x)


FUNCTIONS = [scanned, branched, nested, jitted, doubled_backwards, tripled_tangent]


def keep(program, step):
    """The identity rewrite of every sine."""
    return Replacement(step.inputs, lambda x: (jnp.sin(x),)) if step.primitive.name == "sin" else None


def to_cosine(program, step):
    return Replacement(step.inputs, lambda x: (jnp.cos(x),)) if step.primitive.name == "sin" else None


def rewritten(function, *rules, at=X):
    run = rewrite(jax.make_jaxpr(function)(at), rules)
    return lambda x: run(x)[0]


def total(function):
    return lambda x: jnp.sum(jnp.square(function(x)))


def recording(log):
    """A rule that replaces no mathematics but writes down what runs."""

    def rule(program, step):
        def run(*args):
            log.append(step.primitive.name)
            bound = step.primitive.bind(*args, **step.params)
            return bound if step.primitive.multiple_results else (bound,)

        return Replacement(step.inputs, run)

    return rule


def test_only_the_needed_steps_run():
    program, _ = trace(lambda x: (jnp.tanh(jnp.sin(x)), jnp.exp(jnp.cos(x))), X)
    log = []
    (value,) = evaluate(program, [X], [program.outputs[0]], rules=[recording(log)])
    assert log == ["sin", "tanh"]
    np.testing.assert_array_equal(value, jnp.tanh(jnp.sin(X)))


def test_steps_that_a_replacement_does_not_need_do_not_run():
    program, _ = trace(lambda x: jnp.exp(x) + jnp.sin(x), X)
    _, sine, addition = program.steps
    log = []

    def only_the_sine(program, step):
        return Replacement(sine.outputs, lambda y: (y,)) if step is addition else None

    (value,) = evaluate(program, [X], program.outputs, rules=[only_the_sine, recording(log)])
    assert log == ["sin"]
    np.testing.assert_array_equal(value, jnp.sin(X))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_and_gradients_are_the_originals_under_an_identity_rewrite(function):
    again, plain = (jax.jit(jax.value_and_grad(total(f))) for f in (rewritten(function, keep), function))
    for at in (X, -X):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), again(at), plain(at))


@pytest.mark.parametrize("function", [scanned, branched, nested, jitted])
def test_rules_apply_inside_scans_conds_and_calls(function, monkeypatch):
    with_cosines = jax.jit(rewritten(function, to_cosine))(X)
    monkeypatch.setattr(jnp, "sin", jnp.cos)
    np.testing.assert_allclose(with_cosines, jax.jit(lambda x: function(x))(X), rtol=1e-6)


def test_rules_do_not_apply_inside_a_custom_gradient():
    @jax.custom_vjp
    def sine(x):
        return jnp.sin(x)

    sine.defvjp(lambda x: (jnp.sin(x), None), lambda _, g: (7.0 * g,))
    again = rewritten(sine, to_cosine, at=1.0)
    assert float(again(1.0)) == pytest.approx(np.sin(1.0))
    assert float(jax.grad(again)(1.0)) == 7.0


@pytest.mark.parametrize("function", [nested, doubled_backwards, tripled_tangent])
def test_a_rewritten_function_works_under_jit_and_vmap_of_grad(function):
    again, plain = (
        jax.jit(jax.vmap(jax.value_and_grad(total(f))))(jnp.stack([X, -X, 2.0 * X]))
        for f in (rewritten(function, keep), function)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), again, plain)


def test_a_trace_inside_vmap_and_grad_closes_over_their_values():
    def scaled(x, scale):
        program, _ = trace(lambda x: jnp.sin(x) * scale, x)
        return jnp.sum(evaluate(program, [x], program.outputs, rules=[keep])[0])

    scales = jnp.array([1.0, 2.0])
    gradients = jax.vmap(jax.grad(scaled), in_axes=(None, 0))(X, scales)
    np.testing.assert_allclose(gradients, np.cos(X) * np.array([1.0, 2.0])[:, None, None], rtol=1e-6)


def test_a_cut_program_takes_a_value_and_computes_the_others_of_its_step():
    def network(x):
        left, right = jnp.split(x, 2)
        return jnp.sin(left) * right, left

    program, _ = trace(network, np.zeros(2, np.float32))
    left = program.outputs[1]
    rest = cut(program, [left])
    x, given = jnp.array([1.0, 5.0]), jnp.array([2.0])
    assert evaluate(rest, [x, given], rest.outputs)[0].item() == pytest.approx(np.sin(2.0) * 5.0)
    slope = jax.grad(lambda value: evaluate(rest, [x, value], rest.outputs)[0][0])(given)
    assert slope.item() == pytest.approx(np.cos(2.0) * 5.0)
    assert evaluate(program, [x], [program.outputs[0]])[0].item() == pytest.approx(np.sin(1.0) * 5.0)
