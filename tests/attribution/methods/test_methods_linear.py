"""Every method on networks whose exact answer is known: linear ones, and single activations, norms and pools."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.attribution.attribute import attribute
from featviz.attribution.methods import (
    Ablation,
    Conductance,
    GradientTimesActivation,
    IntegratedPath,
    Occlusion,
    Relevance,
)
from featviz.errors import FeatvizError

RNG = np.random.default_rng(0)
IMAGE = RNG.random((6, 6, 3), np.float32)
SPEC = fv.InputSpec(size=(6, 6))
WEIGHTS = {"a": RNG.normal(size=(3, 4)).astype(np.float32), "b": RNG.normal(size=(6, 6, 4, 2)).astype(np.float32)}
EXACT = (IMAGE @ WEIGHTS["a"]) * WEIGHTS["b"][..., 1]


def linear(weights, images):
    with jax.named_scope("first"):
        h = jnp.einsum("nhwc,cd->nhwd", images, weights["a"])
    return jnp.einsum("nhwd,hwdk->nk", h, weights["b"])


@pytest.fixture(scope="module")
def model():
    return fv.from_function(linear, WEIGHTS, input=SPEC)


def layer_of(model):
    return next(layer.name for layer in model.layers if layer.shape == (6, 6, 4))


METHODS = [
    GradientTimesActivation(),
    IntegratedPath(steps=2),
    Conductance(steps=2),
    Relevance(),
    Relevance(epsilon=1e-7),
    Ablation(),
    Occlusion(),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_each_method_is_exact_where_the_network_is_linear(model, method):
    why = attribute(model, IMAGE, fv.logit(1), layer=layer_of(model), method=method)
    if method.per_position and method.per_unit:
        np.testing.assert_allclose(why.values[0], EXACT, atol=1e-4)
    if method.per_unit:
        np.testing.assert_allclose(why.units[0], EXACT.sum((0, 1)), atol=1e-4)
    if method.per_position:
        np.testing.assert_allclose(why.positions[0], EXACT.sum(-1), atol=1e-4)
    assert why.completeness_error[0] < 1e-3 if method.by_activation else np.isnan(why.completeness_error[0])


@pytest.mark.parametrize(
    ("kind", "number"),
    [(Conductance, "steps"), (Occlusion, "window"), (IntegratedPath, "steps"), (IntegratedPath, "concentration")],
)
def test_numbers_that_would_measure_nothing_are_refused(kind, number):
    with pytest.raises(FeatvizError, match=f"`{number}` is 0; expected a whole number from 1"):
        kind(**{number: 0})


def test_a_window_of_occlusion_is_shared_by_its_positions(model):
    exact = EXACT.sum(-1)
    why = attribute(model, IMAGE, fv.logit(1), layer=layer_of(model), method=Occlusion(window=2))
    # Position (0, 0) is in one window; (1, 0) in two.
    np.testing.assert_allclose(why.positions[0, 0, 0], exact[:2, :2].sum(), atol=1e-4)
    np.testing.assert_allclose(why.positions[0, 1, 0], (exact[:2, :2].sum() + exact[1:3, :2].sum()) / 2, atol=1e-4)


def of_image(function, method, image=IMAGE, weights=None):
    """The attribution of a function's output 0 to the image."""

    def network(weights, images):
        with jax.named_scope("copy"):
            images = images * 1.0
        return function(weights, images)

    model = fv.from_function(network, weights or {"unused": np.zeros(1, np.float32)}, input=SPEC)
    return attribute(model, image, fv.logit(0), layer="<image>", method=method)


@pytest.mark.parametrize("activation", [jax.nn.gelu, jax.nn.silu, jnp.tanh])
def test_relevance_passes_activation_functions_whole(activation):
    why = of_image(lambda w, x: activation(x * 3).sum((1, 2)), Relevance())
    np.testing.assert_allclose(why.values[0, ..., 0], activation(IMAGE[..., 0] * 3), rtol=1e-4, atol=1e-5)


def test_relevance_takes_a_norm_as_a_constant():
    def norm(w, x):
        centered = x - x.mean((1, 2, 3), keepdims=True)
        return (centered * jax.lax.rsqrt((centered**2).mean((1, 2, 3), keepdims=True) + 1e-6))[:, 2, 3, :1]

    why = of_image(norm, Relevance())
    scale = 1 / np.sqrt(IMAGE.var() + 1e-6)
    expected = -scale * IMAGE / IMAGE.size
    expected[2, 3, 0] += scale * IMAGE[2, 3, 0]
    np.testing.assert_allclose(why.values[0], expected, atol=2e-5)


def test_relevance_gives_half_to_each_factor():
    why = of_image(lambda w, x: x[:, 0, 0, :1] * x[:, 1, 1, :1], Relevance())
    assert why.values[0, 0, 0, 0] == pytest.approx(why.values[0, 1, 1, 0])
    assert why.completeness_error[0] < 1e-5


def test_relaxed_pooling_gives_to_all_of_a_window_and_conserves():
    def pool(w, x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID").sum((1, 2))

    relaxed, plain = of_image(pool, Relevance(relaxed_pooling=True)), of_image(pool, Relevance())
    blocks = IMAGE[..., 0].reshape(3, 2, 3, 2)
    expected = blocks**2 / (blocks**2).sum((1, 3), keepdims=True) * blocks.max((1, 3), keepdims=True)
    np.testing.assert_allclose(relaxed.values[0, ..., 0], expected.reshape(6, 6), atol=1e-5)
    assert (plain.values[0, ..., 0] > 0).sum() == 9
    assert max(relaxed.completeness_error[0], plain.completeness_error[0]) < 1e-5


@pytest.mark.parametrize(("epsilon", "gamma"), [(0.1, 0.0), (0.0, 0.25), (0.05, 0.5)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_epsilon_and_gamma_rules_are_those_of_the_formula(epsilon, gamma, sign):
    w, b = sign * np.array([1.0, -0.5, 0.25], np.float32), np.float32(-0.1)
    weights = {"w": w[:, None], "b": np.array([b])}
    why = of_image(lambda w, x: x[:, 0, 0] @ w["w"] + w["b"], Relevance(epsilon=epsilon, gamma=gamma), IMAGE, weights)
    x = IMAGE[0, 0]
    z = x @ w + b
    keep = (lambda v: np.maximum(v, 0)) if z > 0 else (lambda v: np.minimum(v, 0))
    contributions = x * w + gamma * keep(x * w)
    divisor = contributions.sum() + b + gamma * keep(b)
    np.testing.assert_allclose(why.values[0, 0, 0], contributions * z / (divisor + epsilon * np.sign(z)), rtol=1e-4)


def test_ablation_is_the_difference_that_an_edit_makes():
    def network(w, x):
        with jax.named_scope("layer"):
            h = jnp.tanh(x * 3 - 1)
        return (h.mean((1, 2)) ** 2).sum(-1, keepdims=True)

    model = fv.from_function(network, {"unused": np.zeros(1, np.float32)}, input=SPEC)
    layer = next(layer.name for layer in model.layers if layer.shape == (6, 6, 3))
    why = attribute(model, IMAGE, fv.logit(0), layer=layer, method=Ablation())
    for unit in range(3):
        edited = model.edited({layer: fv.ablate(unit)})
        lost = why.scores[0] - edited.apply(edited.weights, IMAGE[None], layers=["<output>"])["<output>"][0, 0]
        np.testing.assert_allclose(why.units[0, unit], lost, atol=1e-6)
