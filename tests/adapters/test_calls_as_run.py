"""What a forward does with `x.data`, with questions after values that are not finite, and with `torch.func`."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from torch import nn  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("error:.*ends behind"),
    pytest.mark.filterwarnings("ignore:.*jit.script"),
]


class Net(nn.Module):
    """Two convolutions; `function` takes the network and the first one's units."""

    def __init__(self, function):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.function = nn.GroupNorm(2, 4), function

    def forward(self, x):
        return self.norm(self.function(self, self.first(x)))


def constrained(net, y):
    """Weights that each forward sets anew, as networks of EEG do."""
    net.second.weight.data = torch.renorm(net.second.weight.data, 2, 0, 0.5)
    return net.second(y)


def clipped(net, y):
    net.second.weight.data.clamp_(-0.1, 0.1)
    return net.second(y)


def checked(net, y):
    assert not torch.isnan(y).any()
    if y.isinf().sum() > 0 or not torch.isfinite(y).all():
        return y * 0
    torch._assert(~torch.isnan(y).any(), "there are some")
    return y * 2


def filled(net, y):
    """Values that are not finite by design are replaced: the answer to a question is no mask."""
    z = y / torch.relu(y).round()
    z = torch.where(torch.isinf(z), 0.5, z)
    z[torch.isnan(z)] = 0.25
    return z


def attended(net, y):
    return torch.vmap(lambda z: (z @ z.mT).softmax(-1) @ z)(y)


def of_each_image(net, y):
    return torch.vmap(lambda z: net.second(z[None])[0])(y)


def ensemble(net, y):
    parameters, buffers = torch.func.stack_module_state([net.second, net.second])
    each = torch.vmap(lambda p, b: torch.func.functional_call(net.second, (p, b), (y,)))
    return each(parameters, buffers).sum(0)


def derivative(net, y):
    return torch.func.jvp(torch.tanh, (y,), (torch.ones_like(y),))[1]


FUNCTIONS = {
    "read": lambda net, y: y * y.data.sigmoid(),
    **{each.__name__: each for each in (constrained, clipped, checked, filled)},
    **{each.__name__: each for each in (attended, of_each_image, ensemble, derivative)},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_are_those_of_pytorch(name):
    torch.manual_seed(0)
    net = Net(FUNCTIONS[name]).eval()
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    expected = net(images)
    expected.pow(3).sum().backward()
    model = fv.from_torch(net, input=fv.InputSpec(size=8, channels_first=True))
    given = images.detach().permute(0, 2, 3, 1).numpy()

    def run(images):
        return model.apply(model.weights, images, layers=[OUTPUT])[OUTPUT]

    found = np.moveaxis(np.asarray(run(given)), -1, 1)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    if name != "filled":
        gradient = np.asarray(jax.grad(lambda images: (run(images) ** 3).sum())(given))
        theirs = images.grad.permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(gradient, theirs, rtol=1e-3, atol=1e-3 * np.abs(theirs).max())
    assert all(layer.name in ("first", "second", "norm") or "/" in layer.name for layer in model.layers)


def test_a_gradient_within_the_forward_is_refused_in_words():
    net = Net(lambda net, y: torch.func.grad(lambda z: (z**3).sum())(y)).eval()
    with pytest.raises(fv.FeatvizError, match=r"derivative within the forward"):
        fv.from_torch(net, input=fv.InputSpec(size=8, channels_first=True))


@pytest.mark.parametrize("sizes", [(4, 4), (4, 6), (6, 4)])
def test_orthogonal_weights(sizes):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, sizes[0], 8), nn.Flatten(), nn.Linear(*sizes)).eval()
    nn.utils.parametrizations.orthogonal(net[2])
    images = torch.rand(2, 3, 8, 8)
    model = fv.from_torch(net, input=fv.InputSpec(size=8, channels_first=True))
    found = np.asarray(model.apply(model.weights, images.permute(0, 2, 3, 1).numpy())[OUTPUT])
    np.testing.assert_allclose(found, net(images).detach().numpy(), rtol=1e-4, atol=1e-5)
