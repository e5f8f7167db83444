"""Keras models as Models: functional, sequential, nested, subclassed, from a file and from keras.applications."""

import dataclasses
import os
import subprocess
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")

import featviz as fv  # noqa: E402
from featviz.gradients.max_pooling import indexed_max_pool  # noqa: E402
from featviz.model import IMAGE, OUTPUT, before_relu  # noqa: E402
from featviz.tracing.program import trace  # noqa: E402

# Keras writes and reads its files in ways that NumPy wants changed.
pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]

layers = keras.layers
SPEC = fv.InputSpec(size=(24, 24))
FUNCTIONAL = {
    "rescaling": (24, 24, 3), "stem": (12, 12, 6), "stem/relu": (12, 12, 6), "block/conv1": (12, 12, 8),
    "block/norm": (12, 12, 8), "block/act": (12, 12, 8), "block": (12, 12, 8), "shared": (12, 12, 8),
    "shared[1]": (12, 12, 8), "add": (12, 12, 8), "pool": (6, 6, 8), "drop": (6, 6, 8), "gap": (8,), "head": (4,),
}  # fmt: skip


@pytest.fixture(autouse=True)
def loose():
    """Keras promotes ranks itself; what the adapter runs is loose by its own doing, as a test below holds."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def block(width, name):
    convolution = layers.Conv2D(width, 3, padding="same", activation="relu", name="conv1")
    return keras.Sequential(
        [convolution, layers.BatchNormalization(name="norm"), layers.Activation("gelu", name="act")], name=name
    )


def draw(model):
    """Weights that are not trivial, statistics included."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.dtype == "float32":
            positive = "var" in variable.path or "gamma" in variable.path
            values = random.uniform(0.5, 1.5, variable.shape) if positive else random.normal(0, 0.3, variable.shape)
            variable.assign(values)
    return model


def make_functional():
    image = keras.Input((24, 24, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    x = keras.ops.relu(layers.Conv2D(6, 3, strides=2, padding="same", name="stem")(x))
    x = block(8, "block")(x)
    shared = layers.Conv2D(8, 1, name="shared")
    x = layers.Add(name="add")([x, shared(shared(x))])
    x = layers.Dropout(0.5, name="drop")(layers.MaxPool2D(name="pool")(x))
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return draw(keras.Model([image], layers.Dense(4, activation="softmax", name="head")(x), name="functional"))


class Subclassed(keras.Model):
    """Without a `training` argument, with layers in a list, a function, and a dict for output."""

    def __init__(self):
        super().__init__()
        self.stem = layers.Conv2D(4, 3, name="stem")
        self.blocks = [block(4, "block0"), block(5, "block1")]
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(3, name="head")

    def call(self, x):
        x = keras.ops.relu(self.stem(x) * 2.0)
        for each in self.blocks:
            x = each(x)
        return {"logits": self.head(keras.ops.mean(self.drop(x), axis=(1, 2)))}


@pytest.fixture(scope="module")
def network():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return make_functional()


@pytest.fixture(scope="module")
def model(network):
    return fv.from_keras(network)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).uniform(size=(2, 24, 24, 3)).astype(np.float32)


def differ(ours, theirs):
    return np.abs(ours - np.asarray(theirs)).max() / np.abs(theirs).max()


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_names_shapes_and_the_declared_input(model):
    assert {layer.name: layer.shape for layer in model.layers} == FUNCTIONAL
    assert model.name == "functional" and model.input == fv.InputSpec(size=(24, 24), scale=255.0)
    assert model.layer("add").parents == ("block", "shared[1]")
    assert [layer.name for layer in model.layers if layer.rectified] == ["stem/relu", "block/conv1"]


def test_activations_are_those_of_keras(network, model, images):
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        ours = jax.jit(model.apply)(model.weights, images)
    names = ["rescaling", "stem", "block", "add", "pool", "gap", "head"]
    theirs = keras.Model(network.inputs, [network.get_layer(name).output for name in names])([images * 255.0])
    inner = network.get_layer("block")
    inside = keras.Model(inner.inputs[0], [each.output for each in inner.layers])(ours["stem/relu"])
    found = dict(zip(names, theirs, strict=True)) | {
        f"block/{each.name}": value for each, value in zip(inner.layers, inside, strict=True)
    }
    for name, value in found.items():
        assert differ(ours[name], value) < 1e-5, name
    np.testing.assert_allclose(ours[OUTPUT], network.predict([images * 255.0], verbose=0), rtol=1e-5)
    assert set(ours) == {*FUNCTIONAL, IMAGE, OUTPUT}
    before = model.apply(model.weights, images, layers=[before_relu("block/conv1")])[before_relu("block/conv1")]
    np.testing.assert_allclose(np.maximum(before, 0), ours["block/conv1"], atol=1e-6)
    assert before.min() < 0


def test_a_layer_costs_only_the_steps_it_needs_and_rules_find_the_pooling(model, images):
    def cost(name):
        return flops(lambda w, x: model.apply(w, x, layers=[name])[name], model.weights, images)

    # 12 * 12 * 6 outputs of 3 * 3 * 3 products for the stem.
    assert cost("stem") == pytest.approx(2 * 2 * 12 * 12 * 6 * 27, rel=0.2)
    assert cost("stem") < cost("block/conv1") / 3
    program, _ = trace(lambda x: model.apply(model.weights, x, layers=["pool"]), jnp.asarray(images))
    assert sum(indexed_max_pool(program, step) is not None for step in program.steps) == 1


def test_one_program_serves_all_units(model):
    calls = []

    def apply(weights, images, *, layers=None):
        calls.append(layers)
        return model.apply(weights, images, layers=layers)

    counted = dataclasses.replace(model, apply=apply)
    options = {"size": 24, "steps": 4, "progress": False}
    first = fv.render(counted, fv.channel("block/conv1", [0, 1]), **options)
    traced = len(calls)
    more = fv.render(counted, fv.channel("block/conv1", [2, 5]), **options)
    # Not even for the layers' shapes once more.
    assert len(calls) == traced
    assert all(np.isfinite(picture.score) and picture.pixels.std() > 0.01 for picture in (*first, *more))
    assert np.abs(first[0].pixels - first[1].pixels).max() > 0.05


def test_the_model_is_left_as_it_is(network, images):
    before = [np.array(each) for each in network.weights]
    filtering = keras.config.is_traceback_filtering_enabled()
    model = fv.from_keras(network)
    output = model.apply(model.weights, images)[OUTPUT]
    with pytest.raises(fv.FeatvizError):
        fv.from_keras(network, input=fv.InputSpec(size=(24, 24), channels=1))
    assert all("call" not in vars(each) for each in network._flatten_layers())
    assert keras.config.is_traceback_filtering_enabled() == filtering
    np.testing.assert_allclose(network.predict([images * 255.0], verbose=0), output, rtol=1e-5)
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_subclassed_models(images):
    network = Subclassed()
    with pytest.raises(fv.FeatvizError, match="has no weights yet"):
        fv.from_keras(network, input=SPEC)
    network(images)
    with pytest.raises(fv.FeatvizError, match="`input` is None, and the inputs that subclassed.* declares are none"):
        fv.from_keras(network)
    draw(network)
    model = fv.from_keras(network, input=SPEC)
    blocks = [f"block{i}{rest}" for i in range(2) for rest in ("/conv1", "/norm", "/act", "")]
    assert [layer.name for layer in model.layers] == ["stem", "relu", *blocks, network.drop.name, "head"]
    found = model.apply(model.weights, images, layers=["relu", OUTPUT])
    assert differ(found["relu"], keras.ops.relu(network.stem(images) * 2.0)) < 1e-5
    assert differ(found[OUTPUT], network(images, training=False)["logits"]) < 1e-5


def test_files(network, model, images, tmp_path):
    network.save(tmp_path / "net.keras")
    loaded = fv.from_keras(str(tmp_path / "net.keras"))
    assert [layer.name for layer in loaded.layers] == list(FUNCTIONAL) and loaded.input == model.input
    np.testing.assert_array_equal(
        loaded.apply(loaded.weights, images)[OUTPUT], model.apply(model.weights, images)[OUTPUT]
    )


def test_unreadable_files_are_refused_in_one_line(tmp_path):
    keras.Sequential([keras.Input((8, 8, 3)), layers.Lambda(lambda x: x * 2)]).save(tmp_path / "code.keras")
    with pytest.raises(fv.FeatvizError, match=r"code.keras` holds Python code .*not run.*safe_mode=False") as error:
        fv.from_keras(tmp_path / "code.keras")
    assert "\n" not in str(error.value)
    with pytest.raises(fv.FeatvizError, match="`model` is of type Dense; expected a keras.Model or"):
        fv.from_keras(layers.Dense(3))
    with pytest.raises(fv.FeatvizError, match="`model` is `.*none.keras`, which is not a file"):
        fv.from_keras(tmp_path / "none.keras")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as file:
        file.writestr("readme", "nothing")
    with pytest.raises(fv.FeatvizError, match="empty.keras` cannot be read as a Keras model: ") as error:
        fv.from_keras(tmp_path / "empty.keras")
    assert "\n" not in str(error.value)


def test_a_failure_is_one_line_that_names_the_layer(network):
    with pytest.raises(fv.FeatvizError, match="functional cannot run on images of 24 x 24 px: .*`?stem") as error:
        fv.from_keras(network, input=fv.InputSpec(size=(24, 24), channels=1))
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)


def test_other_sizes_where_the_network_allows(model):
    images = np.random.default_rng(1).uniform(size=(1, 40, 32, 3)).astype(np.float32)
    assert model.apply(model.weights, images, layers=["head"])["head"].shape == (1, 4)
    assert model.apply(model.weights, images, layers=["stem"])["stem"].shape == (1, 20, 16, 6)


def test_a_network_of_keras_applications():
    network = keras.applications.MobileNetV3Small(
        weights=None, input_shape=(32, 32, 3), alpha=0.75, minimalistic=True, classes=5
    )
    model = fv.from_keras(network)
    assert model.input == fv.InputSpec(size=(32, 32), scale=255.0)
    assert {each.name for each in network.layers} - {layer.name for layer in model.layers} == {network.layers[0].name}
    image = np.random.default_rng(1).uniform(size=(1, 32, 32, 3)).astype(np.float32)
    ours = jax.jit(lambda weights, image: model.apply(weights, image, layers=[OUTPUT]))(model.weights, image)[OUTPUT]
    np.testing.assert_allclose(ours, network.predict(image * 255.0, verbose=0), rtol=1e-4)
    picture = fv.render(model, fv.channel("expanded_conv_1_expand", 3), size=32, steps=4, progress=False)
    assert np.isfinite(picture.score) and picture.pixels.std() > 0.01


def test_another_backend_is_refused_in_one_line():
    code = (
        "import sys, types, featviz as fv\n"
        "class Model: trainable_variables = non_trainable_variables = ()\n"
        "sys.modules['keras'] = types.SimpleNamespace(backend=types.SimpleNamespace(backend=lambda: 'torch'))\n"
        "try: fv.from_keras(Model())\n"
        "except fv.FeatvizError as error: print(error)"
    )
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout == "Keras's backend is torch; expected jax: set KERAS_BACKEND=jax before importing Keras\n"


class TwoArguments(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.dense = layers.Conv2D(4, 3), layers.Dense(4)

    def call(self, image, meta):
        return self.conv(image) + self.dense(meta)[:, None, None]


class ListOfTwo(TwoArguments):
    def call(self, inputs):
        return super().call(inputs[0], inputs[1])


class DictOfTwo(TwoArguments):
    def call(self, inputs):
        return super().call(inputs["image"], inputs["meta"])


def functional_of(combine, count):
    image = layers.Input((16, 16, 3), name="image")
    others = [layers.Input((5,), name=f"meta{index}") for index in range(1, count)]
    output = layers.Conv2D(4, 3)(image)
    for other in others:
        output = output + layers.Reshape((1, 1, 4))(layers.Dense(4)(other))
    return keras.Model(combine([image, *others]), output)


def built(network, *inputs):
    network(*inputs)
    return network


BATCH = (np.zeros((1, 16, 16, 3), np.float32), np.zeros((1, 5), np.float32))
SEVERAL_INPUTS = {
    "list": lambda: functional_of(list, 2),
    "three": lambda: functional_of(list, 3),
    "dict": lambda: functional_of(lambda inputs: {tensor.name: tensor for tensor in inputs}, 2),
    "two arguments": lambda: built(TwoArguments(), *BATCH),
    "subclassed list": lambda: built(ListOfTwo(), list(BATCH)),
    "subclassed dict": lambda: built(DictOfTwo(), {"image": BATCH[0], "meta": BATCH[1]}),
}


@pytest.mark.parametrize("kind", SEVERAL_INPUTS)
def test_models_of_several_inputs_are_refused_with_their_number(kind):
    count = 3 if kind == "three" else 2
    with pytest.raises(fv.FeatvizError, match=f"takes {count} inputs.*expected `fixed`") as error:
        fv.from_keras(SEVERAL_INPUTS[kind](), input=fv.InputSpec(size=16))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("combine", [list, lambda inputs: inputs[0]], ids=["list", "tensor"])
def test_one_input_may_be_in_a_list(combine):
    assert fv.from_keras(functional_of(combine, 1)).layers


def normalized(*, scale):
    layer = layers.Normalization(mean=[scale * 0.5] * 3, variance=[scale] * 3)
    return keras.Sequential([layers.Input((24, 16, 3)), layer, layers.Conv2D(4, 3)])


@pytest.mark.parametrize(
    ("make", "scale"),
    [
        (lambda: normalized(scale=255), 255.0),
        (lambda: normalized(scale=1), 1.0),
        (lambda: keras.Sequential([layers.Input((24, 16, 3), dtype="uint8"), layers.Conv2D(4, 3)]), 255.0),
        (lambda: keras.Sequential([layers.Input((24, 16, 3)), layers.Rescaling(1 / 127.5, -1)]), 255.0),
        (lambda: keras.Sequential([layers.Input((24, 16, 3)), layers.Rescaling(2.0, -1)]), 1.0),
    ],
)
def test_the_range_of_the_images_is_that_of_what_the_model_declares(make, scale):
    model = fv.from_keras(make())
    assert model.input == fv.InputSpec(size=(24, 16), scale=scale)


def test_layers_say_on_which_axis_their_channels_are():
    first = {"data_format": "channels_first"}
    network = keras.Sequential(
        [layers.Input((3, 24, 16)), layers.Conv2D(4, 3, **first), layers.GlobalAveragePooling2D(**first)]
    )
    model = fv.from_keras(network)
    assert model.input == fv.InputSpec(size=(24, 16), channels_first=True)
    images = np.random.default_rng(0).random((2, 24, 16, 3), np.float32)
    expected = np.asarray(network(np.moveaxis(images, -1, 1)))
    np.testing.assert_allclose(model.apply(model.weights, images)[OUTPUT], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_quantized_layers_are_layers():
    network = keras.Sequential([layers.Input((24, 24, 3)), layers.Flatten(), layers.Dense(6, name="a")])
    network.quantize("int8")
    model = fv.from_keras(network)
    images = np.random.default_rng(0).random((2, 24, 24, 3), np.float32)
    np.testing.assert_allclose(model.apply(model.weights, images)["a"], np.asarray(network(images)), rtol=1e-5)
