"""Operations in place, through names and through views, against PyTorch's own values."""

import numpy as np
import pytest

import featviz as fv
from featviz.model import OUTPUT

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from featviz.adapters.torch.in_place import rename_results  # noqa: E402

pytestmark = pytest.mark.frameworks
SPEC = fv.InputSpec(size=8, channels_first=True)


def chain(x):
    """Results that only get another name."""
    y = torch.relu_(x + 1)
    y.add_(x).mul_(2.0)
    return y.clamp_(0.0, 3.0)


def ignored(x):
    """The result of the operation is not used, what it wrote to is."""
    y = x * 2
    nn.functional.relu(y, inplace=True)
    return y - 1


def dropout(x):
    """Dropout returns its input itself at inference."""
    y = x * 2
    nn.functional.relu(nn.functional.dropout(y, 0.5, False), inplace=True)
    return y


def chunk(x):
    y = x * 2
    first, second = y.chunk(2, 2)
    first.add_(second)
    return y


def view(x):
    y = x.contiguous() * 2
    y.view(2, -1)[:, ::2].neg_()
    return y.relu_()


def later_view(x):
    y = (x * 2).sub_(1.0)
    part = y[:, :1]
    y.relu_()
    return y + part


def image(x):
    """The images themselves, read again later."""
    return x.sub_(0.5).relu_() + x


def assigned(x):
    y = torch.zeros_like(x)
    y[:, 1:] = x[:, :2]
    y[:, 0].fill_(0.25)
    return y


def expanded(x):
    first, second = torch.broadcast_tensors(x * 2, torch.ones(1))
    first.relu_()
    return first + second


CASES = [chain, ignored, dropout, chunk, view, later_view, image, assigned, expanded]


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.before = nn.Conv2d(3, 3, 1)
        self.function = function

    def forward(self, x):
        y = self.before(x)
        return torch.cat([self.function(y), y], 1)


@pytest.mark.parametrize("function", CASES, ids=lambda function: function.__name__)
def test_values_are_those_of_pytorch(function):
    torch.manual_seed(0)
    net = Net(function).eval()
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    layer = []
    handle = net.before.register_forward_hook(lambda _, args, output: layer.append(output.detach().clone()))
    with torch.no_grad():
        expected = net(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    handle.remove()
    model = fv.from_torch(net, input=SPEC)
    values = model.apply(model.weights, x)
    np.testing.assert_allclose(values["before"], layer[0].permute(0, 2, 3, 1).numpy(), atol=1e-6)
    np.testing.assert_allclose(values[OUTPUT], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "renamed"), [(chain, True), (ignored, True), (chunk, False), (view, False), (later_view, False)]
)
def test_views_alone_need_the_second_pass(function, renamed):
    with torch.no_grad():
        program = torch.export.export(Net(function).eval(), (torch.zeros(2, 3, 8, 8),), strict=False)
    before = str(program.graph)
    assert rename_results(program.graph) is renamed
    assert renamed or str(program.graph) == before
