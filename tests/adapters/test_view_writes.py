"""Writes to parts of arrays: the graph gives what the module gives, whatever else looks at the memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featviz as fv
from featviz.model import OUTPUT

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from featviz.adapters.torch.in_place import writes  # noqa: E402
from featviz.adapters.torch.view_writes import replace_parts  # noqa: E402

pytestmark = pytest.mark.frameworks
# What a module does one after the other, to arrays by their number: the first is computed, the others are parts.
PARTS = st.tuples(st.just("part"), st.integers(0, 4), st.integers(0, 2), st.integers(0, 2), st.booleans())
HOW = st.sampled_from(["copy", "add", "relu", "fill", "zero", "kept", "again"])
WRITES = st.tuples(st.just("write"), st.integers(0, 4), HOW)
READS = st.tuples(st.just("read"), st.integers(0, 4))


class Net(nn.Module):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        arrays, total = [x * 2], x.new_zeros(())
        for kind, number, *rest in self.steps:
            array = arrays[number % len(arrays)]
            if kind == "read":
                total = total + (array * (number + 1)).sum()
            elif kind == "part":
                axis, start, row = rest
                axis = axis % max(array.ndim, 1)
                if array.ndim > 1 and row:
                    arrays.append(array.select(axis, min(start, array.shape[axis] - 1)))
                elif array.ndim:
                    arrays.append(array.narrow(axis, start % array.shape[axis], 1 + (array.shape[axis] > start + 1)))
            elif rest[0] == "copy":
                array.copy_(x.sum() * (number + 1))
            elif rest[0] == "add":
                array.add_(x.mean())
            elif rest[0] == "relu":
                array.relu_()
            elif rest[0] == "fill":
                array.fill_(0.5)
            elif rest[0] == "zero":
                array.zero_()
            elif rest[0] == "again":
                array[...] *= 0.5
            else:
                # What a write returns is read later.
                arrays.append(array.mul_(3.0))
        return total, *arrays


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(PARTS, WRITES, READS), max_size=7))
def test_any_writes_and_reads(steps):
    x = torch.sin(torch.arange(48.0)).reshape(2, 4, 6)
    net = Net(steps).eval()
    expected = net(x.clone())
    program = torch.export.export(net, (x,), strict=False)
    replace_parts(program.graph)
    found = torch.fx.Interpreter(program.graph_module).run(x.clone())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


class Detector(nn.Module):
    """Images are copied into a batch one by one, as torchvision's detectors do."""

    def __init__(self):
        super().__init__()
        self.norm = nn.Identity()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        batch = x.new_full((2, 3, 10, 12), 0.25)
        for index, image in enumerate(x.unbind()):
            batch[index, :, : image.shape[1], : image.shape[2]].copy_(image)
        batch[:, 1] *= 2
        return self.conv(self.norm(batch))


def test_no_write_is_left_of_images_that_become_a_batch():
    net = Detector().eval()
    program = torch.export.export(net, (torch.zeros(2, 3, 8, 8),), strict=False)
    assert len(list(writes(program.graph))) == 4
    replace_parts(program.graph)
    assert not list(writes(program.graph))
    x = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)
    model = fv.from_torch(net, input=fv.InputSpec(size=8, channels_first=True))
    expected = net(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).detach().numpy()
    np.testing.assert_allclose(model.apply(model.weights, x)[OUTPUT], expected, rtol=1e-5, atol=1e-5)
