"""The zoo: the networks compute what their authors' frameworks compute, and a wrong request says so.

The golden logits come from an independent float32 implementation (networks/README.md of the test data).
"""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from featviz.errors import FeatvizError
from featviz.model import OUTPUT, Model
from featviz.zoo.convolutional_entries import imagenet_classes
from featviz.zoo.registry import ZOO, find, load, outline
from featviz.zoo.weights.convert import torch_name
from featviz.zoo.weights.load import flatten, write_weights

# Of the eight crops of golden/inputs.npy.
LABELS = [1, 88, 207, 281, 340, 404, 717, 985]
# From the table of networks/README.md.
PARAMETERS = {"googlenet": 6_998_552, "squeezenet1_1": 1_235_496, "deit_tiny": 5_717_416}
GOLDEN = {"googlenet": "googlenet", "squeezenet": "squeezenet_v1_1", "deit": "deit_tiny_patch16_224"}


def template(name: str, size: int | None = None) -> tuple[jax.ShapeDtypeStruct, dict]:
    entry = ZOO[name]
    height, width = (size, size) if size else entry.input.size
    image = jax.ShapeDtypeStruct((2, height, width, entry.input.channels), jnp.float32)
    return jax.eval_shape(entry.build().init_with_output, jax.random.key(0), image)


@pytest.mark.parametrize("name", GOLDEN)
def test_logits_are_the_golden_ones(name, network_file, request):
    model: Model = request.getfixturevalue(name)
    images = jnp.asarray(np.load(network_file("golden/inputs.npy")), jnp.float32) / 255.0
    golden = np.load(network_file(f"golden/{GOLDEN[name]}_logits.npy"))
    logits = jax.jit(lambda weights, images: model.apply(weights, images)[OUTPUT])(model.weights, images)
    np.testing.assert_allclose(np.asarray(logits), golden, rtol=0, atol=1e-3)
    # The files' own labels, so that a golden file in another order of crops would be told.
    assert np.mean(np.argmax(np.asarray(logits), axis=-1) == LABELS) >= 0.5


@pytest.mark.parametrize("name", ZOO)
def test_parameter_count(name):
    _, variables = template(name)
    # As published: a normalization's statistics are no parameters.
    weights = {path: leaf for path, leaf in flatten(variables).items() if path.split("/")[-1] not in ("mean", "var")}
    count = sum(leaf.size for leaf in weights.values())
    assert count == ZOO[name].parameters == PARAMETERS.get(name, count)


@pytest.mark.parametrize("name", ZOO)
def test_classes_are_as_many_as_outputs(name):
    logits, _ = template(name)
    assert len(ZOO[name].classes()) in (0, logits.shape[-1])
    # Features, not classes; and the 1008 outputs of Google's graph, whose names it does not hold.
    assert bool(ZOO[name].classes()) != name.startswith(("inceptionv1", "dinov2", "siglip", "clip"))


def test_imagenets_names(network_file):
    published = json.loads(network_file("imagenet_classes.json").read_text(encoding="utf-8"))
    assert list(imagenet_classes()) == [published[str(number)][1] for number in range(1000)]


def test_a_class_is_found_by_its_name():
    model = outline("resnet50")
    assert [model.class_index(name) for name in ("zebra", "Tarantula", "sorrel")] == [340, 76, 339]
    with pytest.raises(FeatvizError, match="`crane` is the name of classes 134, 517; expected an index"):
        model.class_index("crane")


@pytest.mark.parametrize(
    "name, size",
    [(name, size) for name in ("googlenet", "squeezenet1_1") for size in (32, 33, 64, 97, 224, 256)]
    + [("deit_tiny", size) for size in (32, 96, 224, 256)],
)
def test_networks_take_other_sizes(name, size):
    logits, _ = template(name, size)
    assert (logits.shape, logits.dtype) == ((2, 1000), jnp.float32)


def test_the_built_in_network_needs_no_file(patterns):
    assert patterns.name == "patterns"
    assert dict(patterns.source) == {"model": "patterns"}
    assert len(patterns.classes) == patterns.layers[-1].units
    images = jnp.full((2, *patterns.input.size, 3), 0.5)
    logits = patterns.apply(patterns.weights, images)[OUTPUT]
    assert logits.shape == (2, len(patterns.classes))
    assert np.isfinite(np.asarray(logits)).all()


def test_a_loaded_network_knows_its_source_and_layers(squeezenet):
    assert dict(squeezenet.source) == {"model": "squeezenet1_1", "weights": "squeezenet_v1_1.safetensors"}
    shapes = {layer.name: layer.shape for layer in squeezenet.layers}
    # DeepScale's prototxt on 224 px: fire9 before the classifier.
    assert shapes["fire9"] == (13, 13, 512)
    assert squeezenet.classes[340] == "zebra"


def test_inceptionv1_has_the_layers_of_the_literature():
    layers = {layer.name: layer for layer in outline("inceptionv1").layers}
    # Olah et al. 2017 and lucid's model zoo: conv2d0 to mixed5b, at 224 px.
    widths = {"3a": 256, "3b": 480, "4a": 508, "4b": 512, "4c": 512, "4d": 528, "4e": 832, "5a": 832, "5b": 1024}
    assert {name: layers[f"mixed{name}"].units for name in widths} == widths
    assert layers["mixed4a"].shape == (14, 14, 508) and layers["mixed4a_3x3"].units == 204
    relus = ["conv2d0", "conv2d2", *(f"mixed5b_{part}" for part in ("1x1", "3x3_bottleneck", "5x5", "pool_reduce"))]
    assert all(layers[name].rectified and not layers[f"{name}_pre_relu_conv"].rectified for name in relus)


def test_efficientnet_has_the_stages_of_its_table_and_what_is_inside_its_blocks():
    layers = {layer.name: layer.shape for layer in outline("efficientnet_b0").layers}
    # Tan and Le 2019, Table 1: sides and channels of what each stage hands on.
    sides, channels = (112, 112, 56, 28, 14, 14, 7, 7, 7), (32, 16, 24, 40, 80, 112, 192, 320, 1280)
    table = [(side, side, units) for side, units in zip(sides, channels, strict=True)]
    assert [layers[f"features/{stage}"] for stage in range(9)] == table
    # Of 24 channels six times as many, and a squeeze to a quarter of the 24; the SiLU's values are the block's own.
    assert layers["features/2/1/block/0"] == layers["features/2/1/block/1"] == (56, 56, 144)
    assert not any(name.startswith("features/2/1/block/0/1/") for name in layers)
    assert layers["features/2/1/block/2/fc1/silu"] == (6,) and layers["features/2/1/block/2/fc2/sigmoid"] == (144,)


def test_weights_are_arrays_of_the_device(squeezenet):
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(squeezenet.weights))


def test_aliases_do_not_collide():
    names = [name for entry in ZOO.values() for name in (entry.name, *entry.aliases)]
    assert len(set(names)) == len(names)
    assert find("squeezenet") is ZOO["squeezenet1_1"]


def test_listing_the_zoo_imports_no_flax():
    code = "import sys, featviz.zoo.registry as r; list(r.ZOO.values()); assert 'flax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name, words",
    [
        ("googlnet", ["`googlnet`", "did you mean `googlenet`?"]),
        ("GoogLeNet", ["did you mean `googlenet`?"]),
        ("", ["expected one of", "`patterns`"]),
        (None, ["`name`", "NoneType"]),
    ],
)
def test_unknown_network(name, words):
    with pytest.raises(FeatvizError) as caught:
        load(name)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in PARAMETERS if not ZOO[name].sources])
def test_a_network_without_weights(name):
    with pytest.raises(FeatvizError, match="has no weights here; pass weights=FILE .--weights FILE"):
        load(name)


def test_weights_of_another_kind_of_value():
    with pytest.raises(FeatvizError, match="`weights` is of type dict; expected the path"):
        load("squeezenet", weights={})


def test_weights_of_another_network(network_file):
    with pytest.raises(FeatvizError, match="holds another network: of its 52 tensors 0 .*; it fits squeezenet1_1$"):
        load("googlenet", weights=network_file("squeezenet_v1_1.safetensors"))


@pytest.mark.parametrize(
    ("of", "names"),
    [
        ("squeezenet1_0", str),
        # As the published file calls them.
        ("mobilenet_v2", ZOO["mobilenet_v2"].sources[0].names or torch_name),
    ],
)
def test_the_error_names_the_network_of_the_weights(tmp_path: Path, of, names):
    shapes = flatten(template(of)[1]["params"])
    tensors = {names(path): np.ones(leaf.shape, np.float32) for path, leaf in shapes.items()}
    safetensors.numpy.save_file(tensors, tmp_path / "net.safetensors")
    with pytest.raises(FeatvizError, match=f"^`weights`: `net.safetensors` .*; it fits {of}$"):
        load("squeezenet1_1", weights=tmp_path / "net.safetensors")


def test_unknown_and_damaged_weights_are_attributed_to_no_other_network(tmp_path: Path):
    write_weights(tmp_path / "none.safetensors", {"a": np.zeros(1_300_000, np.float32)})
    shapes = flatten(template("squeezenet1_1")[1]["params"])
    nan = {path: np.full(leaf.shape, np.nan, np.float32) for path, leaf in shapes.items()}
    write_weights(tmp_path / "nan.safetensors", nan)
    for name, says in (("none", "holds another network"), ("nan", "not finite")):
        with pytest.raises(FeatvizError, match=says) as error:
            load("squeezenet1_1", weights=tmp_path / f"{name}.safetensors")
        assert "it fits" not in str(error.value)


def test_own_weights_load_into_a_network_of_the_zoo(tmp_path: Path):
    _, variables = template("squeezenet1_1")
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), variables["params"])
    write_weights(tmp_path / "own.safetensors", params)
    model = load("squeezenet", weights=str(tmp_path / "own.safetensors"))
    assert dict(model.source) == {"model": "squeezenet1_1", "weights": "own.safetensors"}
    assert flatten(params).keys() == flatten(model.weights["params"]).keys()
