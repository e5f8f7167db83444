"""One small trained network through every adapter."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import featviz as fv

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))
from six_adapters import UNITS, activations_and_gradient, adapt

pytestmark = pytest.mark.frameworks

NEEDS = {"keras": ["keras"], "torch": ["torch"], "onnx": ["onnx", "torch"]}
IMAGE = jax.random.uniform(jax.random.key(0), (1, 64, 64, 3))


@pytest.fixture(scope="module")
def reference():
    model, layer = adapt("linen")
    return *activations_and_gradient(model, layer, IMAGE), fv.render(model, fv.channel(layer, UNITS), size=32, steps=24)


@pytest.fixture(scope="module", params=["nnx", "function", "keras", "torch", "onnx"])
def adapted(request):
    for framework in NEEDS.get(request.param, []):
        pytest.importorskip(framework, reason=f"needs {framework}: make test-frameworks")
    return adapt(request.param)


def test_all_adapters_give_the_same_activations_gradients_and_scores(adapted, reference):
    activations, gradient, pictures = reference
    adapted_values = activations_and_gradient(*adapted, IMAGE)
    np.testing.assert_allclose(adapted_values[0], activations, rtol=1e-5, atol=1e-5 * np.abs(activations).max())
    np.testing.assert_allclose(adapted_values[1], gradient, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())
    model, layer = adapted
    rendered = fv.render(model, fv.channel(layer, UNITS), size=32, steps=24)
    ratios = [a.score / b.score for a, b in zip(rendered, pictures, strict=True)]
    assert abs(np.median(ratios) - 1) < 0.02
    assert all(picture.provenance["network"]["name"] for picture in rendered)


def test_an_early_layer_costs_as_much_as_a_network_cut_behind_it(adapted):
    model, layer = adapted
    linen, _ = adapt("linen")
    early = layer.replace("mixed4a", "mixed3a")

    def cost(model, name):
        run = jax.jit(lambda weights, image: model.apply(weights, image, layers=[name])[name])
        return run.lower(model.weights, IMAGE).compile().cost_analysis()["flops"]

    assert cost(model, early) == pytest.approx(cost(linen, "mixed3a"), rel=0.01)
    assert cost(model, early) < 0.8 * cost(model, layer)
