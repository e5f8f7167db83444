"""Attributions against captum and zennit, on the same PyTorch network."""

import numpy as np
import pytest

import featviz as fv
from featviz.attribution.attribute import attribute
from featviz.attribution.methods import Conductance, GradientTimesActivation, IntegratedPath, Relevance

pytestmark = pytest.mark.frameworks
torch = pytest.importorskip("torch", reason="needs torch: make test-frameworks")
IMAGE = np.random.default_rng(0).random((16, 16, 3), np.float32)
PIXELS = torch.from_numpy(IMAGE).permute(2, 0, 1)[None]
CLASS = 3


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(8, 12, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(12 * 64, 10),
    ).eval()


@pytest.fixture(scope="module")
def model(network):
    return fv.from_torch(network, input=fv.InputSpec(size=(16, 16), channels_first=True))


def ours(model, layer, method):
    return attribute(model, IMAGE, fv.logit(CLASS), layer=layer, method=method).values[0]


def channels_last(tensor):
    return tensor.detach()[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("layer", [1, 3])
def test_captum_agrees(network, model, layer):
    captum = pytest.importorskip("captum.attr", reason="needs captum: make test-frameworks", exc_type=ImportError)
    module = network[layer]
    expected = captum.LayerGradientXActivation(network, module).attribute(PIXELS, target=CLASS)
    np.testing.assert_allclose(
        ours(model, str(layer), GradientTimesActivation()), channels_last(expected), atol=1e-5, rtol=1e-4
    )
    # Captum takes the path of the image; through the layer's own activations it is that of the rest of the network.
    rest = network[layer + 1 :]
    activation = network[: layer + 1](PIXELS)
    path = captum.IntegratedGradients(rest).attribute(activation, target=CLASS, n_steps=50, method="gausslegendre")
    np.testing.assert_allclose(
        ours(model, str(layer), IntegratedPath(steps=50, concentration=1)), channels_last(path), atol=1e-5, rtol=1e-4
    )
    # Its path through a layer begins at what the layer is on its baseline image, here black.
    layer_path = captum.LayerIntegratedGradients(network, module)
    expected = layer_path.attribute(PIXELS, target=CLASS, n_steps=50, method="gausslegendre")
    black = channels_last(network[: layer + 1](0 * PIXELS))
    why = attribute(
        model,
        IMAGE,
        fv.logit(CLASS),
        layer=str(layer),
        method=IntegratedPath(steps=50, concentration=1),
        baseline=black,
    )
    np.testing.assert_allclose(why.values[0], channels_last(expected), atol=1e-5, rtol=1e-4)


def test_captums_conductance_agrees(network, model):
    captum = pytest.importorskip("captum.attr", reason="needs captum: make test-frameworks", exc_type=ImportError)
    conductance = captum.LayerConductance(network, network[1])
    expected = conductance.attribute(PIXELS, target=CLASS, n_steps=20, method="riemann_trapezoid")
    np.testing.assert_allclose(ours(model, "1", Conductance(steps=20)), channels_last(expected), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(("epsilon", "gamma"), [(1e-6, 0.0), (0.1, 0.0), (0.0, 0.25)])
def test_zennit_agrees(network, model, epsilon, gamma):
    pytest.importorskip("zennit", reason="needs zennit: make test-frameworks", exc_type=ImportError)
    composites = pytest.importorskip("zennit.composites", reason="needs zennit", exc_type=ImportError)
    rules = pytest.importorskip("zennit.rules", reason="needs zennit", exc_type=ImportError)
    rule = rules.Gamma(gamma=gamma, stabilizer=1e-9) if gamma else rules.Epsilon(epsilon=epsilon)
    linear = (torch.nn.Conv2d, torch.nn.Linear)
    composite = composites.LayerMapComposite([(linear, rule), (torch.nn.ReLU, rules.Pass())])
    pixels = PIXELS.clone().requires_grad_()
    with composite.context(network) as changed:
        output = changed(pixels)
        # Relevance starts as the output itself.
        start = torch.zeros_like(output)
        start[0, CLASS] = output[0, CLASS].detach()
        (relevance,) = torch.autograd.grad(output, pixels, start)
    method = Relevance(epsilon=epsilon, gamma=gamma)
    np.testing.assert_allclose(ours(model, "<image>", method), channels_last(relevance), atol=1e-5, rtol=1e-3)
