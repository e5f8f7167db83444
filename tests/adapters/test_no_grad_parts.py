"""Gradients through parts of a forward under `torch.no_grad`, against autograd's own."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from support.adapted import adapted  # noqa: E402
from torch import nn  # noqa: E402

from featviz.adapters.torch.no_grad_parts import FOLLOWED, STOPPED  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore:.*jit.script")]


class Net(nn.Module):
    """Two convolutions; `function` takes the network and the first one's units."""

    def __init__(self, function):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def straight_through(net, x):
    y = net.first(x)
    with torch.no_grad():
        rounding = (y * 4).round() / 4 - y
    return net.second(y + rounding)


def branch(net, x):
    """The first branch is frozen; its convolution is a layer with a gradient of its own all the same."""
    with torch.no_grad():
        frozen = net.first(x).relu()
    return net.second(frozen) * x.mean(1, keepdim=True)


@torch.no_grad()
def gate(y):
    low, high = torch.aminmax(y, dim=1, keepdim=True)
    return (nn.functional.normalize(y, dim=1) * (high - low)).sigmoid()


def decorated(net, x):
    y = net.first(x)
    return net.second(y) * gate(y)


def switched(net, x):
    y = net.first(x)
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    scale = y.amax((2, 3), keepdim=True)
    torch.set_grad_enabled(before)
    return net.second(y / scale)


def enabled_within(net, x):
    y = net.first(x)
    with torch.no_grad():
        z = y * 2
        with torch.enable_grad():
            w = net.second(y)
        z = z + w
    return z + w


def edited_after(net, x):
    y = net.first(x)
    with torch.no_grad():
        part = y[:, :2] * 2
        part[:, 0] = part[:, 1]
    part.relu_()
    return net.second(y) + part.mean(1, keepdim=True)


def inference(net, x):
    y = net.first(x)
    with torch.inference_mode():
        scale = y.mean((2, 3), keepdim=True).sigmoid()
    return net.second(y) * scale.clone()


def clipped(net, x):
    """What is written under `no_grad` changes values, and no gradient."""
    y = net.first(x)
    with torch.no_grad():
        y.clamp_(-0.2, 0.2)
        y[:, 0] = 0.5
    return net.second(y)


def clipped_data(net, x):
    y = net.first(x)
    y.data.clamp_(-0.2, 0.2)
    return net.second(y)


def set_data(net, x):
    y = net.first(x)
    y.data = y.data.clamp(-0.2, 0.2)
    return net.second(y)


def clipped_detached(net, x):
    y = net.first(x).masked_fill(x[:, :1] < 0.3, -torch.inf)
    y.detach().clamp_(-0.2, 0.2)
    return net.second(y)


CASES = [straight_through, branch, decorated, switched, enabled_within, edited_after, inference]
WRITES = [clipped, clipped_data, set_data, clipped_detached]


def adapt(function):
    torch.manual_seed(0)
    net = Net(function).eval()
    model, said = adapted(net)
    return net, model, [text for text in said if "Net " in text]


def gradients(net, model, layer=OUTPUT):
    """Autograd's and ours, of a weighted sum of the network's output."""
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    given = torch.tensor(images).permute(0, 3, 1, 2).contiguous().requires_grad_()
    output = net(given)
    weights = np.random.default_rng(1).standard_normal((2, 8, 8, 4)).astype(np.float32)
    if output.requires_grad:
        (output * torch.tensor(weights).permute(0, 3, 1, 2)).sum().backward()
    ours = jax.grad(lambda x: (model.apply(model.weights, x, layers=[layer])[layer] * weights).sum())(images)
    theirs = None if given.grad is None else given.grad.permute(0, 2, 3, 1).numpy()
    values = model.apply(model.weights, images, layers=[OUTPUT])[OUTPUT]
    np.testing.assert_allclose(values, output.detach().permute(0, 2, 3, 1), atol=1e-5)
    return theirs, np.asarray(ours)


@pytest.mark.parametrize("function", CASES)
def test_gradients_are_those_of_autograd_and_it_is_said(function):
    net, model, said = adapt(function)
    theirs, ours = gradients(net, model)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert said == [f"Net {STOPPED}"]


@pytest.mark.parametrize("function", WRITES)
def test_writes_behind_the_gradients_back_change_values_alone(function):
    net, model, said = adapt(function)
    theirs, ours = gradients(net, model)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not said


def whole_slice(net, x):
    """As where windows are put together and nothing was padded."""
    y = net.first(x)
    height, width = y.shape[2:]
    return net.second(y[:, :, :height, :width].contiguous()) + y


def written_slice(net, x):
    y = net.first(x)
    y[:].relu_()
    return net.second(y[...]) * x[:, :1]


@pytest.mark.parametrize("function", [whole_slice, written_slice])
def test_a_slice_of_all_has_its_gradient(function):
    net, model, said = adapt(function)
    theirs, ours = gradients(net, model)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not said


def test_layers_of_a_part_under_no_grad_have_their_gradient():
    net, model, _ = adapt(branch)
    _, ours = gradients(net, model, layer="first")
    assert np.abs(ours).max() > 0.01


@pytest.mark.parametrize("whole", [False, True])
def test_where_everything_is_under_no_grad_the_forward_is_followed(whole):
    def frozen(net, x):
        with torch.no_grad():
            y = net.first(x)
            if whole:
                return net.second(y)
        return net.second(y)

    net, model, said = adapt(frozen)
    theirs, ours = gradients(net, model)
    assert theirs is None
    assert np.abs(ours).max() > 0.01
    assert said == ([] if whole else [f"Net {FOLLOWED}"])


def test_what_no_image_decides_is_no_matter():
    def tables(net, x):
        with torch.no_grad():
            table = torch.zeros(4, 1, 1)
            table[1:3] = net.second.weight.mean((1, 2, 3))[1:3, None, None]
        return net.first(x) * table

    net, model, said = adapt(tables)
    theirs, ours = gradients(net, model)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not said


def test_checkpoints_have_their_gradient():
    def checkpointed(net, x):
        return torch.utils.checkpoint.checkpoint(lambda y: net.second(net.first(y)).relu(), x, use_reentrant=True)

    net, model, said = adapt(checkpointed)
    theirs, ours = gradients(net, model)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not said
