"""The kinds in training, against numpy, and that the code they become takes activations as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.planted_dictionaries import planted

from featviz.dictionaries.fitting.sae_step import SaeSettings, init_sae
from featviz.dictionaries.fitting.sae_training import finish_code
from featviz.dictionaries.fitting.trained_kinds import TARGET, TRAINED, group_sizes, pre_activations
from featviz.dictionaries.kinds import KINDS

LATENTS, K = 40, 3
INPUTS = planted(64)[1]


def parameters_of(kind):
    """Parameters as a training might leave them: every array is in use."""
    settings = SaeSettings(kind, INPUTS.shape[1], LATENTS, K, 10, 64, 1e-3, 100, 0)
    state = init_sae(jnp.asarray(INPUTS), settings)
    rng = np.random.default_rng(1)
    moved = {
        name: value + 0.1 * rng.normal(size=value.shape).astype(np.float32) for name, value in state.parameters.items()
    }
    return state._replace(parameters=moved), settings


def by_numpy(kind, p, x):
    """Latents and loss, in double precision."""
    p = {name: np.asarray(value, np.float64) for name, value in p.items()}
    projections = (x - p["decoder_bias"]) @ p["encoder"]
    pre = projections + p["encoder_bias"]
    relu = np.maximum(pre, 0)
    if kind == "topk":
        latents = np.where(relu >= np.sort(relu, axis=1)[:, [-K]], relu, 0)
    elif kind in ("batch_topk", "matryoshka"):
        latents = np.where(relu >= np.sort(relu.ravel())[-K * len(x)], relu, 0)
    elif kind == "jump_relu":
        latents = np.where(pre > np.exp(p["log_threshold"]), relu, 0)
    elif kind == "gated":
        gate = projections + p["gate_bias"]
        magnitude = projections * np.exp(p["magnitude"]) + p["encoder_bias"]
        latents = np.where(gate > 0, np.maximum(magnitude, 0), 0)
    else:
        latents = relu

    def error(z):
        return np.mean((x - z @ p["decoder"] - p["decoder_bias"]) ** 2)

    loss = error(latents)
    if kind == "gated":
        loss += error(np.maximum(gate, 0))
    if kind == "matryoshka":
        ends = np.cumsum(group_sizes(LATENTS))
        loss = np.mean([error(np.where(np.arange(LATENTS) < end, latents, 0)) for end in ends])
    if kind == "jump_relu":
        loss += TARGET * K / x.shape[1] * ((latents > 0).sum(axis=1).mean() / K - 1) ** 2
    penalty = {
        "relu": latents.sum(axis=1).mean(),
        "gated": np.maximum(gate, 0).sum(axis=1).mean() if kind == "gated" else 0,
    }
    return latents, loss, penalty.get(kind, 0) / x.shape[1]


@pytest.mark.parametrize("kind", TRAINED)
def test_a_pass_against_numpy(kind):
    state, _ = parameters_of(kind)
    passed = TRAINED[kind].run(state.parameters, jnp.asarray(INPUTS), K)
    latents, loss, penalty = by_numpy(kind, state.parameters, INPUTS.astype(np.float64))
    np.testing.assert_allclose(passed.latents, latents, atol=2e-5)
    np.testing.assert_allclose(passed.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(passed.penalty, penalty, rtol=1e-5)
    assert latents.any() and not latents.all()


@pytest.mark.parametrize("kind", TRAINED)
def test_the_code_takes_activations_as_they_are(kind):
    state, settings = parameters_of(kind)
    factor = 2.5
    threshold = float(TRAINED[kind].least_kept(state.parameters, jnp.asarray(INPUTS), K))
    # The smallest latent that the batch keeps is kept afterwards too.
    code = finish_code(state, settings, factor, np.nextafter(np.float32(threshold * 0.9999), 0))
    assert code.name == kind and KINDS[kind] is type(code)
    passed = TRAINED[kind].run(state.parameters, jnp.asarray(INPUTS), K)
    np.testing.assert_allclose(code.encode(INPUTS / factor) * factor, passed.latents, atol=2e-5)
    np.testing.assert_allclose(code.decode(code.encode(INPUTS / factor)) * factor, passed.reconstruction, atol=2e-4)


@pytest.mark.parametrize("kind", TRAINED)
def test_a_threshold_is_fitted_where_the_code_takes_one(kind):
    state, settings = parameters_of(kind)
    least = float(TRAINED[kind].least_kept(state.parameters, jnp.asarray(INPUTS), K))
    low, high = (jax.tree.leaves(finish_code(state, settings, 1.0, threshold)) for threshold in (0.0, 0.5))
    depends = not all(np.array_equal(one, other) for one, other in zip(low, high, strict=True))
    assert TRAINED[kind].thresholded == depends == (least > 0)


@pytest.mark.parametrize("kind", ["topk", "batch_topk", "jump_relu"])
def test_as_many_fire_at_first_as_are_wanted(kind):
    settings = SaeSettings(kind, INPUTS.shape[1], LATENTS, K, 10, 64, 1e-3, 100, 0)
    state = init_sae(jnp.asarray(INPUTS), settings)
    passed = TRAINED[kind].run(state.parameters, jnp.asarray(INPUTS), K)
    assert abs(float((passed.latents > 0).sum(axis=1).mean()) - K) < 0.1


def test_pre_activations_have_the_gradient_of_their_formula():
    parameters = {name: jnp.asarray(value) for name, value in parameters_of("topk")[0].parameters.items()}

    def formula(p, x):
        return (x - p["decoder_bias"][None]) @ p["encoder"] + p["encoder_bias"][None]

    (value, gradient), (found, found_gradient) = (
        jax.value_and_grad(lambda p, f=each: jnp.sin(f(p, INPUTS)).sum())(parameters)
        for each in (formula, pre_activations)
    )
    np.testing.assert_allclose(found, value, rtol=1e-6)
    for name in ("encoder", "encoder_bias", "decoder_bias"):
        np.testing.assert_allclose(found_gradient[name], gradient[name], rtol=1e-4, atol=1e-4)
