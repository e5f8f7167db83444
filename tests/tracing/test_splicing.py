"""Steps put into programs, and scans unrolled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import trace
from featviz.tracing.scans import Scan, ScanLocation, ValueLocation
from featviz.tracing.splicing import insert, unroll

X = np.array([[1.0, -2.0, 3.0]], np.float32)


def test_what_is_put_in_is_seen_by_all_that_follows():
    program, _ = trace(lambda x: (jnp.sin(x) * 2.0, jnp.sin(x).sum()), X)
    value = program.steps[0].outputs[0]
    changed = insert(program, value, lambda h, a, b: a * h + b[None], [np.float32(2.0), np.ones(3, np.float32)])
    doubled, total = evaluate(changed, [X, np.float32(3.0), np.ones(3, np.float32)], program.outputs)
    np.testing.assert_allclose(doubled, 2 * (3 * np.sin(X) + 1), rtol=1e-6)
    # The second sine is a value of its own.
    np.testing.assert_allclose(total, np.sin(X).sum(), rtol=1e-6)


def test_an_input_and_a_replaced_value_serve_as_well():
    program, _ = trace(lambda x: x + 1.0, X)
    changed = insert(program, program.inputs[0], lambda h, a: a, [X])
    assert evaluate(changed, [X, 5 * X], changed.outputs)[0].tolist() == (5 * X + 1).tolist()
    # Nothing before a replaced value runs.
    program, _ = trace(lambda x: jnp.exp(jnp.sin(x)), X)
    changed = insert(program, program.steps[0].outputs[0], lambda h, a: a, [X])
    np.testing.assert_allclose(evaluate(changed, [None, X], changed.outputs)[0], np.exp(X), rtol=1e-6)


def blocks(x, weights):
    """A scan of blocks, each of which scans over its own two layers."""

    def layer(x, w):
        return jax.nn.relu(x * w[None]), None

    def block(x, w):
        x, _ = jax.lax.scan(layer, x, w)
        x = jax.ad_checkpoint.checkpoint_name(x, "blocks/mlp")
        return x + 1.0, x.sum()

    return jax.lax.scan(block, x, weights)


@pytest.mark.parametrize("edited", [0, 1, 2])
def test_an_unrolled_scan_computes_the_same_and_its_iterations_are_apart(edited):
    weights = np.random.default_rng(0).random((3, 2, 3)).astype(np.float32)
    program, _ = trace(blocks, X, weights)
    scan = Scan(next(step for step in program.steps if step.primitive.name == "scan"))
    flat, moved = unroll(program, scan)
    for ours, theirs in zip(
        evaluate(flat, [X, weights], flat.outputs), jax.tree.leaves(blocks(X, weights)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    (mark,) = [value for name, value in scan.body.marks if name == "blocks/mlp"]
    location = moved(ScanLocation(scan, edited, ValueLocation(mark)))
    changed = insert(flat, location.value, lambda h: h * 0.0, [])
    output, _ = evaluate(changed, [X, weights], changed.outputs)
    expected = jnp.ones_like(X)
    for w in weights[edited + 1 :]:
        expected = jax.nn.relu(jax.nn.relu(expected * w[None, 0]) * w[None, 1]) + 1.0
    np.testing.assert_allclose(output, expected, rtol=1e-6)
