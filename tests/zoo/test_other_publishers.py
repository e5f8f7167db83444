"""Files of other publishers than torchvision give the network the input that they were trained on."""

import dataclasses

import numpy as np
import pytest
import safetensors.numpy
from support import weight_files as files

from featviz.errors import FeatvizError
from featviz.zoo import registry
from featviz.zoo.architectures.vgg import VGG
from featviz.zoo.registry import load, outline
from featviz.zoo.weights.convert import convert, keras_axes, torch_name
from featviz.zoo.weights.load import flatten

THIN = ((2,) * 2, (3,) * 2, (4,) * 3, (4,) * 3, (2,) * 3)
# What torchvision, the authors and Keras call each layer of VGG 16, as their code has it.
LAYERS = (
    *(("features/0", "conv1_1", "block1_conv1"), ("features/2", "conv1_2", "block1_conv2")),
    *(("features/5", "conv2_1", "block2_conv1"), ("features/7", "conv2_2", "block2_conv2")),
    *(("features/10", "conv3_1", "block3_conv1"), ("features/12", "conv3_2", "block3_conv2")),
    *(("features/14", "conv3_3", "block3_conv3"), ("features/17", "conv4_1", "block4_conv1")),
    *(("features/19", "conv4_2", "block4_conv2"), ("features/21", "conv4_3", "block4_conv3")),
    *(("features/24", "conv5_1", "block5_conv1"), ("features/26", "conv5_2", "block5_conv2")),
    *(("features/28", "conv5_3", "block5_conv3"), ("classifier/0", "fc6", "fc1")),
    *(("classifier/3", "fc7", "fc2"), ("classifier/6", "fc8", "predictions")),
)
TRAINED = registry.find("vgg16").input
# BGR in 0..255 less the mean color, of the readme of VGG_ILSVRC_16_layers.
BGR = dataclasses.replace(TRAINED, scale=255.0, mean=(103.939, 116.779, 123.68), std=(1.0,), bgr=True)


@pytest.fixture
def thin(monkeypatch):
    """VGG 16 of a few channels, under its name in the zoo, and random weights for it."""
    entry = dataclasses.replace(registry.find("vgg16"), build=lambda: VGG(THIN, 5, 6), classes=tuple)
    monkeypatch.setattr(registry, "find", lambda name: entry)
    random = np.random.default_rng(0)
    return {
        path: random.normal(size=leaf.shape).astype(np.float32)
        for path, leaf in flatten(outline("vgg16").weights["params"]).items()
    }


def loaded(path, own, *, input):
    """The network of a file, twice: it has these weights and this input each time."""
    for _ in range(2):
        model = load("vgg16", weights=path)
        found = flatten(model.weights["params"])
        assert found.keys() == own.keys() and all(np.array_equal(found[name], own[name]) for name in own)
        assert model.input == input and dict(model.source) == {"model": "vgg16", "weights": path.name}


@pytest.mark.parametrize("old", [True, False])
def test_vgg_of_its_authors(thin, tmp_path, old):
    layers = files.caffe_layers({f"{caffe}/{leaf}": thin[f"{ours}/{leaf}"] for ours, caffe, leaf in each_leaf(1)})
    (tmp_path / "VGG_ILSVRC_16_layers.caffemodel").write_bytes(files.caffemodel(layers, old=old))
    loaded(tmp_path / "VGG_ILSVRC_16_layers.caffemodel", thin, input=BGR)


def each_leaf(column):
    return ((names[0], names[column], leaf) for names in LAYERS for leaf in ("kernel", "bias"))


def keras_layers(own):
    """Keras's dense layer after the last convolution takes 7 x 7 places of 2 channels, place by place."""
    written = {}
    for ours, layer, leaf in each_leaf(2):
        array = own[f"{ours}/{leaf}"]
        if (ours, leaf) == ("classifier/0", "kernel"):
            array = np.stack([array[c * 49 + place] for place in range(49) for c in range(2)])
        written.setdefault(layer, {})[f"{layer}_{'W' if leaf == 'kernel' else 'b'}_1:0"] = array
    return written


def test_vgg_of_keras(thin, tmp_path):
    pytest.importorskip("h5py", reason="h5py is not installed; the extra `hdf5` brings it")
    path = tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
    path.write_bytes(files.keras(keras_layers(thin)))
    loaded(path, thin, input=BGR)


def test_a_file_without_its_classifier_says_so(thin, tmp_path):
    pytest.importorskip("h5py", reason="h5py is not installed; the extra `hdf5` brings it")
    layers = {layer: weights for layer, weights in keras_layers(thin).items() if layer.startswith("block")}
    (tmp_path / "notop.h5").write_bytes(files.keras(layers))
    with pytest.raises(
        FeatvizError, match=r"`notop.h5` lacks the tensor `\w+_1:0` and 5 more of 32 expected"
    ) as caught:
        load("vgg16", weights=tmp_path / "notop.h5")
    assert "\n" not in str(caught.value)


def test_torchvisions_and_our_own_files_keep_the_input(thin, tmp_path):
    turn = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    state = {torch_name(path): np.ascontiguousarray(a.transpose(turn[a.ndim])) for path, a in thin.items()}
    (tmp_path / "vgg16-397923af.pth").write_bytes(files.saved(state))
    loaded(tmp_path / "vgg16-397923af.pth", thin, input=TRAINED)
    safetensors.numpy.save_file(thin, tmp_path / "own.safetensors")
    loaded(tmp_path / "own.safetensors", thin, input=TRAINED)


@pytest.mark.parametrize("name", [name for name, entry in registry.ZOO.items() if len(entry.sources) > 1])
def test_each_source_names_each_tensor_once(name):
    entry = registry.ZOO[name]
    paths = list(flatten(outline(name).weights["params"]))
    for source in entry.sources:
        naming = source.names or torch_name
        assert len({naming(path) for path in paths}) == len(paths)


def test_keras_numbers_the_convolutions_of_inception_v3():
    naming = registry.ZOO["inception_v3"].sources[1].names
    kernels = {
        naming(path) for path in flatten(outline("inception_v3").weights["params"]) if path.endswith("conv/kernel")
    }
    assert kernels == {f"conv2d_{number}/kernel:0" for number in range(1, 95)}


def test_a_norm_without_a_scale_gets_ones():
    template = {"bn": {name: np.zeros(3, np.float32) for name in ("scale", "bias")}}
    given = {"axes": keras_axes, "names": str, "ones": (r"bn/scale$",)}
    tree = convert({"bn/bias": np.arange(3.0)}, template, file="a.h5", **given)
    assert tree["bn"]["scale"].tolist() == [1, 1, 1] and tree["bn"]["bias"].tolist() == [0, 1, 2]
    with pytest.raises(FeatvizError, match="`a.h5` holds the tensor `bn/scale`, which the network lacks"):
        convert({"bn/bias": np.zeros(3), "bn/scale": np.ones(3)}, template, file="a.h5", **given)
    with pytest.raises(FeatvizError, match=r"`a.h5` has `bn/bias` of shape \(4,\); expected \(3,\)"):
        convert({"bn/bias": np.zeros(4)}, template, file="a.h5", **given)
