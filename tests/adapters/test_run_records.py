"""Records of runs: equal for two sizes only where one graph serves both, which then gives PyTorch's values."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.adapters.torch import exported_network  # noqa: E402
from featviz.adapters.torch.run_records import RunRecord, recorded  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402

pytestmark = pytest.mark.frameworks


class Function(nn.Module):
    """A network of a convolution, whose result a function takes."""

    def __init__(self, function):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.linear = nn.Linear(8, 8)
        self.register_buffer("table", torch.rand(8, 64, 64))
        self.function = function

    def forward(self, x):
        return self.function(self, self.conv(x))


# The same at every size.
SAME = {
    "relu": lambda net, x: F.relu(x),
    "residual": lambda net, x: x + F.gelu(net.conv.bias[:, None, None] * x),
    "norms": lambda net, x: F.layer_norm(x.permute(0, 2, 3, 1), [8]),
    "pools": lambda net, x: F.adaptive_avg_pool2d(F.max_pool2d(x, 3, 2), 1).flatten(1),
    "linear": lambda net, x: net.linear(x.movedim(1, -1)).softmax(-1),
    "upsampled": lambda net, x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "attention": lambda net, x: F.scaled_dot_product_attention(*(3 * [x.flatten(2).transpose(1, 2)])),
    "branches": lambda net, x: torch.cat([x.mean((2, 3), keepdim=True) * x, *x.chunk(2, 1)], 1),
    "slices": lambda net, x: x[:, 1:5, ::2, -3:],
}
# What it does depends on the size.
OTHERS = {
    "scaled by the size": lambda net, x: x / x.shape[2],
    "as many cells": lambda net, x: x.reshape(x.shape[0], 8, x.shape[2] * x.shape[3]),
    "cut at the size": lambda net, x: (x + 0)[:, :, : x.shape[2] // 2 + 3],
    "kernel of the size": lambda net, x: F.avg_pool2d(x, (x.shape[2], x.shape[3])),
    "padded to a multiple": lambda net, x: F.pad(x, (0, -x.shape[3] % 7, 0, -x.shape[2] % 7)),
    "a table of the size": lambda net, x: x + net.table[:, : x.shape[2], : x.shape[3]],
    "positions": lambda net, x: x + torch.arange(x.shape[3]),
    "numbers of NumPy": lambda net, x: x + torch.from_numpy(np.arange(x.shape[3], dtype=np.float32)),
    "resized to a size": lambda net, x: F.interpolate(x, size=(x.shape[2] * 2, x.shape[3])),
    "another branch": lambda net, x: x if x.shape[2] > 30 else x.relu(),
    "repeated": lambda net, x: F.relu(x) if x.shape[2] > 30 else F.relu(x) + 1,
    "another tensor": lambda net, x: (x * 2, x + 1)[x.shape[2] > 30],
    "attention in Python": lambda net, x: F.normalize(x.flatten(2).unflatten(2, x.shape[2:]), dim=1),
}
# The same at every size, of which the export computes a part.
COMPUTED = {
    "numbers as large": lambda net, x: x * torch.ones_like(x[0, 0]).cumsum(0),
}


def digest(module, height, width):
    images = torch.zeros(2, 3, height, width)
    record = RunRecord(module, images)
    with torch.no_grad(), recorded(record):
        record.add("output", [], module(images))
    return record.digest


@pytest.mark.parametrize("name", SAME)
def test_records_of_what_does_not_depend_on_the_size_are_equal(name):
    module = Function(SAME[name]).eval()
    first = digest(module, 32, 32)
    assert first is not None and first == digest(module, 32, 32) == digest(module, 25, 50)


def test_records_hold_numbers_that_are_read():
    module = Function(lambda net, x: x * torch.ones_like(x[0, 0]).sum().item()).eval()
    assert digest(module, 32, 32) == digest(module, 16, 64) != digest(module, 24, 47)


@pytest.mark.parametrize("name", OTHERS)
def test_records_of_what_depends_on_the_size_differ(name):
    module = Function(OTHERS[name]).eval()
    first = digest(module, 32, 32)
    assert first is None or first != digest(module, 24, 47)


@pytest.mark.parametrize("name", [*SAME, *OTHERS, *COMPUTED])
@settings(max_examples=2, deadline=None)
@given(height=st.integers(9, 40), width=st.integers(9, 40))
def test_values_at_other_sizes_are_pytorchs(name, height, width):
    torch.manual_seed(0)
    module = Function((SAME | OTHERS | COMPUTED)[name]).eval()
    model = fv.from_torch(module, input=fv.InputSpec(size=(32, 32), channels_first=True))
    images = np.random.default_rng(0).random((2, height, width, 3), np.float32)
    ours = jax.jit(lambda weights, images: model.apply(weights, images, layers=("conv", OUTPUT)))(model.weights, images)
    with torch.no_grad():
        theirs = module(torch.tensor(images).permute(0, 3, 1, 2)).numpy()
    ours = np.asarray(ours[OUTPUT])
    assert np.sort(ours.shape).tolist() == np.sort(theirs.shape).tolist()
    np.testing.assert_allclose(np.sort(ours, axis=None), np.sort(theirs, axis=None), atol=1e-5)


def test_a_network_that_does_the_same_is_exported_once(monkeypatch):
    shapes = []
    export = exported_network.export_graph
    monkeypatch.setattr(
        exported_network, "export_graph", lambda *args, **given: shapes.append(args[1].shape) or export(*args, **given)
    )
    spec = fv.InputSpec(size=(32, 32), channels_first=True)
    for name, count in (("residual", 1), ("positions", 2)):
        model = fv.from_torch(Function((SAME | OTHERS)[name]), input=spec)
        fv.render(model, fv.channel("conv", 0), size=24, steps=1, progress=False)
        assert len(shapes) == count
        shapes.clear()


@pytest.mark.parametrize(
    "function",
    [
        lambda net, x: x + torch.from_numpy(np.random.default_rng(0).random((8, 32, 32), np.float32)),
        lambda net, x: x * float(torch.ones_like(x[0, 0]).numpy().sum()),
    ],
)
def test_what_numpy_computes_is_compared_with_nothing(function):
    assert digest(Function(function).eval(), 32, 32) is None
