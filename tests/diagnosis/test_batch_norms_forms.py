"""Batch norms are found in every form in which they are written, and nothing else is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.diagnosis.batch_norms import find_batch_norms
from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import trace

FORMS = {
    "centered": lambda x, w: (x - w["mean"]) / jnp.sqrt(w["var"] + 1e-3) * w["scale"] + w["bias"],
    "scale first": lambda x, w: (x - w["mean"]) * w["scale"] * lax.rsqrt(w["var"] + 1e-3) + w["bias"],
    "folded": lambda x, w: x * (f := w["scale"] * lax.rsqrt(w["var"] + 1e-3)) + (w["bias"] - w["mean"] * f),
    "folded, negated": lambda x, w: x * (f := lax.rsqrt(w["var"] + 1e-3)) + (-w["mean"] * f + w["bias"]),
    "a power": lambda x, w: (x - w["mean"]) * (w["var"] + 1e-3) ** -0.5,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first", [False, True], ids=["channels last", "channels first"])
def test_a_batch_norm_is_found_in_each_form(form, first):
    draw = np.random.default_rng(0)
    shape = (1, 4, 1, 1) if first else (1, 1, 1, 4)
    weights = {name: draw.uniform(0.5, 2, 4).astype(np.float32) for name in ("bias", "mean", "scale", "var")}
    x = draw.normal(size=(2, 4, 5, 3) if first else (2, 5, 3, 4)).astype(np.float32)

    def network(weights, x):
        return jax.nn.relu(FORMS[form](2 * x, {name: value.reshape(shape) for name, value in weights.items()}))

    with jax.numpy_rank_promotion("allow"):
        program, _ = trace(network, weights, x)
        (norm,) = find_batch_norms(program, program.inputs[-1])
        found = evaluate(program, [*jax.tree.leaves(weights), x], [norm.input, norm.mean, norm.variance])
    assert norm.axis == (1 if first else 3)
    np.testing.assert_array_equal(found[0], 2 * x)
    np.testing.assert_array_equal(np.ravel(found[1]), weights["mean"])
    np.testing.assert_allclose(np.ravel(found[2]), weights["var"] + 1e-3, rtol=1e-6)


def test_layer_norms_and_scales_are_not_batch_norms():
    def network(weights, x):
        x = (x - weights["mean"][None]) * weights["scale"][None]
        centered = x - jnp.mean(x, 1, keepdims=True)
        return centered * lax.rsqrt(jnp.mean(jnp.square(centered), 1, keepdims=True)) * weights["scale"][None]

    weights = {"mean": np.ones(4, np.float32), "scale": np.ones(4, np.float32)}
    program, _ = trace(network, weights, np.ones((2, 4), np.float32))
    assert find_batch_norms(program, program.inputs[-1]) == []
