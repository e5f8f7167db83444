"""Operators of PyTorch that are made of others, and have no function of their own here."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from torch import nn  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.adapters.torch.operators import find_operator  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402

pytestmark = pytest.mark.frameworks

# By the operator: what a network does with maps (n, 4, 6, 6).
MADE_OF_OTHERS = {
    "mH": lambda x: x @ x.mH,
    "linalg_diagonal": lambda x: torch.linalg.diagonal(x),
    "arccos_": lambda x: (x / 9).arccos_(),
}


@pytest.mark.parametrize("name", MADE_OF_OTHERS)
def test_they_are_taken_apart(name):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return MADE_OF_OTHERS[name](self.conv(x))

    assert find_operator(f"{name}.default") is None
    torch.manual_seed(0)
    network = Network().eval()
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    expected = network(images)
    expected.square().sum().backward()
    model = fv.from_torch(network, input=fv.InputSpec(size=8, channels_first=True))

    def output(x):
        return model.apply(model.weights, x, layers=[OUTPUT])[OUTPUT]

    x = np.moveaxis(images.detach().numpy(), 1, -1)
    np.testing.assert_allclose(output(x), np.moveaxis(expected.detach().numpy(), 1, -1), rtol=1e-4, atol=1e-5)
    gradient = jax.grad(lambda x: (output(x) ** 2).sum())(x)
    np.testing.assert_allclose(gradient, np.moveaxis(images.grad.numpy(), 1, -1), rtol=1e-3, atol=1e-4)
