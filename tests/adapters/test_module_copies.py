"""Copies of a user's module run on their own: their functions and hooks hold the copies of what the originals hold."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from torch import nn  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("error:.*calls none of the modules")]
SPEC = fv.InputSpec(size=8, channels_first=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.kept = []


class Hooked(Net):
    """What a hook keeps is the forward's result, as in DPT."""

    def __init__(self):
        super().__init__()
        self.first.register_forward_hook(lambda module, args, output: self.kept.append(output))
        self.second.register_forward_pre_hook(lambda module, args: (args[0] * 2,))

    def forward(self, x):
        self.kept.clear()
        return self.second(self.first(x)) + self.kept[0]


class Shared(Net):
    """A hook and the module hold the same dict, not the module."""

    def __init__(self):
        super().__init__()
        found = {}

        def named(name):
            def hook(module, args, output):
                found[name] = output

            return hook

        self.first.register_forward_hook(named("first"))
        self.found = found

    def forward(self, x):
        self.second(self.first(x))
        return self.found["first"] * 2


class Composed(Net):
    def __init__(self):
        super().__init__()
        self.function = lambda x: self.second(self.first(x)).relu()

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("kind", [Hooked, Shared, Composed])
def test_functions_hold_the_copies_modules(kind):
    torch.manual_seed(0)
    net = kind().eval()
    images = torch.rand(2, 3, 8, 8)
    model = fv.from_torch(net, input=SPEC)
    assert net.kept == []
    found = np.asarray(model.apply(model.weights, images.permute(0, 2, 3, 1).numpy())[OUTPUT])
    np.testing.assert_allclose(np.moveaxis(found, -1, 1), net(images).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert {"first", "second"} <= {layer.name for layer in model.layers}
    # What the weights are is the Model's own affair.
    expected = np.asarray(model.apply(model.weights, np.ones((1, 8, 8, 3), np.float32))[OUTPUT])
    nn.init.zeros_(net.first.weight)
    np.testing.assert_array_equal(model.apply(model.weights, np.ones((1, 8, 8, 3), np.float32))[OUTPUT], expected)


@pytest.mark.filterwarnings("ignore")
def test_a_module_of_packed_integers_is_named():
    inner = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 4)), {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(fv.FeatvizError, match=r"`1\.0` is quantized; expected the `module` of floats"):
        fv.from_torch(nn.Sequential(nn.Conv2d(3, 4, 1), inner), input=SPEC)


@pytest.mark.filterwarnings("ignore:.*deprecated", "ignore:Please use quant_min and quant_max")
@pytest.mark.parametrize("trained", [True, False])
def test_ranges_observed_for_quantization_are_held_as_they_are(trained):
    from torch.ao import quantization

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).train(trained)
    if trained:
        net.qconfig = quantization.get_default_qat_qconfig("fbgemm")
        net = quantization.prepare_qat(net)
    else:
        net.qconfig = quantization.get_default_qconfig("fbgemm")
        net = quantization.prepare(net)
    net(torch.rand(2, 3, 8, 8) * 2)
    net.eval()
    with pytest.warns(
        UserWarning, match="Sequential observes ranges for quantization when it runs; here they are held"
    ):
        model = fv.from_torch(net, input=SPEC)
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    ours = model.apply(model.weights, images)[OUTPUT]
    net.apply(quantization.disable_observer)
    with torch.no_grad():
        expected = net(torch.tensor(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    # One step of the coarser rounding where a value lies between two.
    np.testing.assert_allclose(ours, expected, atol=0.03 if trained else 1e-6)
    assert np.mean(np.abs(ours - expected.numpy()) > 1e-5) < 0.02
    gradient = jax.grad(lambda x: model.apply(model.weights, x)[OUTPUT].sum())(images)
    assert np.abs(gradient).max() > 0
