"""GoogLeNet's weights are bit-identical from every kind of file."""

import os

import jax
import numpy as np
import pytest
import safetensors.numpy
from support import weight_files as files

from featviz.errors import FeatvizError
from featviz.zoo.registry import load, outline
from featviz.zoo.weights.convert import torch_name
from featviz.zoo.weights.load import flatten, write_weights


@pytest.fixture(scope="module")
def weights(googlenet):
    return {path: np.asarray(leaf) for path, leaf in flatten(googlenet.weights["params"]).items()}


def equals(weights, path):
    """Whether the network that a file is loaded into has just these weights."""
    model = load("googlenet", weights=path)
    found = flatten(model.weights["params"])
    assert dict(model.source) == {"model": "googlenet", "weights": path.name}
    return found.keys() == weights.keys() and all(
        np.array_equal(np.asarray(found[name]).view(np.uint32), array.view(np.uint32))
        for name, array in weights.items()
    )


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("old", [True, False])
def test_googlenet_as_a_caffemodel(weights, tmp_path, old, packed):
    layers = files.caffe_layers(weights)
    # The classifiers that only training used, as in BVLC's file.
    layers |= {f"loss{at}/{name}": layers["loss3/classifier"] for at in (1, 2) for name in ("conv", "fc", "classifier")}
    (tmp_path / "bvlc_googlenet.caffemodel").write_bytes(files.caffemodel(layers, old=old, packed=packed))
    assert equals(weights, tmp_path / "bvlc_googlenet.caffemodel")


def state_dict(weights):
    """The tensors with PyTorch's names and order of axes."""
    turn = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    return {torch_name(path): np.ascontiguousarray(a.transpose(turn[a.ndim])) for path, a in weights.items()}


@pytest.mark.parametrize("legacy", [True, False])
def test_googlenet_as_a_pth(weights, tmp_path, legacy):
    (tmp_path / "googlenet.pth").write_bytes(files.saved(state_dict(weights), legacy=legacy))
    assert equals(weights, tmp_path / "googlenet.pth")


def test_googlenet_as_safetensors_of_pytorch_and_as_ours_by_another_name(weights, tmp_path):
    safetensors.numpy.save_file(state_dict(weights), tmp_path / "model.safetensors")
    assert equals(weights, tmp_path / "model.safetensors")
    safetensors.numpy.save_file(weights, tmp_path / "weights.bin")
    assert equals(weights, tmp_path / "weights.bin")


def zeros(name):
    template = flatten(outline(name).weights["params"])
    return {path: np.zeros(leaf.shape, np.float32) for path, leaf in template.items()}


def test_squeezenet_as_a_caffemodel(tmp_path):
    own = zeros("squeezenet1_1")
    own["fire2/expand3x3/kernel"] += np.arange(3, dtype=np.float32)[:, None, None]
    (tmp_path / "squeezenet_v1.1.caffemodel").write_bytes(files.caffemodel(files.caffe_layers(own)))
    found = load("squeezenet", weights=tmp_path / "squeezenet_v1.1.caffemodel").weights["params"]
    jax.tree.map(np.testing.assert_array_equal, flatten(found), own)


def test_the_error_uses_the_naming_that_matches_best(tmp_path):
    own = zeros("squeezenet1_1")
    layers = files.caffe_layers(own)
    lacking = {layer: blobs for layer, blobs in layers.items() if layer != "conv10"}
    wide = layers | {"conv10": [np.zeros((9, 512, 1, 1), np.float32), np.zeros(9, np.float32)]}
    infinite = layers | {"conv1": [layers["conv1"][0], np.full(64, np.inf, np.float32)]}
    path = tmp_path / "net.caffemodel"
    for content, says in [
        (lacking, "lacks the tensor `conv10."),
        (layers | {"conv11": layers["conv1"]}, "holds the tensor `conv11.weight` and 1 more, which the network lacks"),
        (wide, r"has `conv10.\w+` of shape "),
        (infinite, "has values in `conv1.bias` that are not finite"),
    ]:
        path.write_bytes(files.caffemodel(content))
        with pytest.raises(FeatvizError, match=f"`weights`: `net.caffemodel` {says}") as caught:
            load("squeezenet", weights=path)
        assert "\n" not in str(caught.value)
    # Too large for float32.
    path.write_bytes(files.saved({name: np.full(a.shape, 1e300) for name, a in state_dict(own).items()}))
    with pytest.raises(FeatvizError, match=r"has values in `[\w.]+` that are not finite"):
        load("squeezenet", weights=path)


def test_errors_for_our_own_safetensors_use_our_names(tmp_path):
    own = zeros("squeezenet1_1")
    del own["conv10/bias"]
    write_weights(tmp_path / "own.safetensors", own)
    with pytest.raises(FeatvizError, match="`own.safetensors` lacks the tensor `conv10/bias` of the 52 expected"):
        load("squeezenet", weights=tmp_path / "own.safetensors")


def test_no_such_file_names_its_neighbor(tmp_path):
    (tmp_path / "net.caffemodel").write_bytes(b"x")
    with pytest.raises(FeatvizError, match="there is no file `nets.caffemodel`; did you mean `net.caffemodel`"):
        load("squeezenet", weights=tmp_path / "nets.caffemodel")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FeatvizError, match="`pipe` is not a regular file; expected safetensors"):
        load("squeezenet", weights=tmp_path / "pipe")
