"""Batch norms of each framework are found in the traced program, with their stored statistics."""

import warnings

import flax.nnx as nnx
import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")
keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")
pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")

from support.torch_networks import Dense, Residual, make  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.diagnosis.batch_norms import find_batch_norms  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402
from featviz.tracing.evaluation import evaluate  # noqa: E402
from featviz.tracing.program import trace  # noqa: E402

pytestmark = pytest.mark.frameworks


def stored(model):
    """The means and variances of the batch norms that are found, in order."""
    images = np.zeros((2, *model.input.size, 3), np.float32)
    program, _ = trace(lambda w, x: model.apply(w, x, layers=[OUTPUT])[OUTPUT], model.weights, images)
    norms = find_batch_norms(program, program.inputs[-1])
    args = jax.tree.leaves((model.weights, images))
    return [[np.ravel(each) for each in evaluate(program, args, [norm.mean, norm.variance])] for norm in norms]


def check(found, expected):
    assert len(found) == len(expected)
    for (mean, variance), (own_mean, own_variance) in zip(found, expected, strict=True):
        np.testing.assert_allclose(mean, own_mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(variance, own_variance, rtol=1e-5)


def in_order(network, example):
    """Of PyTorch's batch norms, as they run."""
    found = []
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(lambda own, *_: found.append(own))
    network(example)
    return [(own.running_mean.numpy(), own.running_var.numpy() + own.eps) for own in found]


@pytest.mark.parametrize("kind", [Residual, Dense])
def test_pytorchs(kind):
    model = fv.from_torch(make(kind).eval(), input=fv.InputSpec(size=(32, 32), channels_first=True))
    check(stored(model), in_order(make(kind).eval(), torch.rand(1, 3, 32, 32)))


def test_onnxs(tmp_path):
    network, path = make(Residual).eval(), str(tmp_path / "net.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Else they are folded into the convolutions.
        torch.onnx.export(network, (torch.rand(1, 3, 32, 32),), path, dynamo=False, do_constant_folding=False,
                          training=torch.onnx.TrainingMode.PRESERVE)  # fmt: skip
    check(stored(fv.from_onnx(path)), in_order(network, torch.rand(1, 3, 32, 32)))


def test_kerass():
    image = keras.Input((16, 16, 3))
    norms = [keras.layers.BatchNormalization(), keras.layers.BatchNormalization(scale=False, center=False)]
    x = norms[0](keras.layers.Conv2D(5, 3)(image))
    x = norms[1](keras.layers.ReLU()(x))
    network = keras.Model(image, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x)))
    for norm in norms:
        norm.moving_mean.assign(np.arange(1.0, 6.0))
        norm.moving_variance.assign(np.arange(2.0, 7.0))
    expected = (np.arange(1.0, 6.0), np.arange(2.0, 7.0) + 1e-3)
    check(stored(fv.from_keras(network, input=fv.InputSpec(size=(16, 16)))), [expected] * 2)


class Small(nnx.Module):
    def __init__(self):
        self.conv = nnx.Conv(3, 5, (3, 3), rngs=nnx.Rngs(0))
        self.norm = nnx.BatchNorm(5, use_running_average=True, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return nnx.relu(self.norm(self.conv(x)))


def test_nnxs():
    module = Small()
    module.norm.mean[...] = np.arange(1.0, 6.0)
    model = fv.from_nnx(module, input=fv.InputSpec(size=(8, 8)))
    check(stored(model), [(np.arange(1.0, 6.0), np.ones(5) + 1e-5)])
