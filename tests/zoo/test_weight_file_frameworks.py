"""Files written by PyTorch and Keras are read without them, with equal values."""

import collections
import warnings

import numpy as np
import pytest

from featviz.zoo.readers.weight_file import read_tensors
from featviz.zoo.registry import load
from featviz.zoo.weights.convert import torch_name
from featviz.zoo.weights.load import flatten

pytestmark = pytest.mark.frameworks

torch = pytest.importorskip("torch", reason="PyTorch is not installed; the extra `torch` brings it")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.visual = torch.nn.Sequential(
            collections.OrderedDict(conv1=torch.nn.Conv2d(3, 4, 3), bn1=torch.nn.BatchNorm2d(4))
        )
        self.sizes = [1, 2]

    def forward(self, x):
        return self.visual(x)


def state_dict():
    base = torch.arange(12.0)
    return Net().state_dict() | {
        "transposed": base.reshape(3, 4).t(),
        "part": base[3:9:2],
        "parameter": torch.nn.Parameter(base),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
        "truth": torch.tensor([True, False]),
        **{str(kind): torch.arange(5).to(kind) for kind in (torch.half, torch.bfloat16, torch.double, torch.uint8)},
        **{str(kind): torch.arange(-2, 3).to(kind) for kind in (torch.int8, torch.short, torch.int, torch.long)},
    }


def assert_same(found, state):
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        wanted = tensor.detach()
        wanted = (wanted.float() if wanted.dtype == torch.bfloat16 else wanted).numpy()
        np.testing.assert_array_equal(found[name], wanted, strict=True)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "wrap", [dict, lambda state: {"epoch": 3, "state_dict": state, "lr": [0.1]}, lambda state: {"model": state}]
)
def test_state_dicts(tmp_path, zipped, protocol, wrap):
    state = state_dict()
    options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": zipped}
    torch.save(wrap(state), tmp_path / "net.pth", **options)
    assert_same(read_tensors(tmp_path / "net.pth"), state)


def test_torchscript(tmp_path):
    net = Net().half().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save(str(tmp_path / "net.pt"))
    assert_same(read_tensors(tmp_path / "net.pt"), net.state_dict())


@pytest.mark.parametrize("zipped", [True, False])
def test_googlenet_through_torch_save(googlenet, tmp_path, zipped):
    weights = {path: np.asarray(leaf) for path, leaf in flatten(googlenet.weights["params"]).items()}
    turn = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    state = {torch_name(path): torch.tensor(array.transpose(turn[array.ndim])) for path, array in weights.items()}
    torch.save({"state_dict": state}, tmp_path / "googlenet.pth", _use_new_zipfile_serialization=zipped)
    found = flatten(load("googlenet", weights=tmp_path / "googlenet.pth").weights["params"])
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(np.asarray(found[name]).view(np.uint32), array.view(np.uint32))


def test_the_files_of_keras(tmp_path):
    pytest.importorskip("h5py", reason="h5py is not installed; the extra `hdf5` brings it")
    keras = pytest.importorskip("keras", reason="Keras is not installed; the extra `keras` brings it")
    net = keras.Sequential(
        [
            keras.layers.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="conv1"),
            keras.layers.BatchNormalization(name="bn1"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, name="head"),
        ]
    )
    wanted = [np.asarray(variable.value) for variable in net.weights]
    with warnings.catch_warnings():  # Keras of its own use of NumPy, and of the older kind of file
        warnings.simplefilter("ignore")
        net.save_weights(tmp_path / "net.weights.h5")
        net.save(tmp_path / "net.h5")
    for file, kernel in (("net.weights.h5", "layers/conv2d/vars/0"), ("net.h5", "conv1/kernel")):
        found = read_tensors(tmp_path / file)
        name = next(name for name in found if kernel in name)
        np.testing.assert_array_equal(found[name], wanted[0], strict=True)
        weights = {name: array for name, array in found.items() if "optimizer" not in name}
        assert sorted(array.shape for array in weights.values()) == sorted(array.shape for array in wanted)
