"""A network in which an image depends on the others of its batch is run image by image, whatever its framework."""

import warnings
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import featviz as fv
from featviz.adapters import batch_independence
from featviz.errors import FeatvizError
from featviz.model import Model

SPEC = fv.InputSpec(size=(8, 8))
FIRST = fv.InputSpec(size=(8, 8), channels_first=True)
# From dark to bright, so that statistics of the batch matter.
BRIGHTNESS = np.array([0.2, 0.6, 1.0], np.float32)[:, None, None, None]
IMAGES = BRIGHTNESS * np.random.default_rng(0).random((3, 8, 8, 3), np.float32)


def center(x):
    return x - jnp.mean(x, 0, keepdims=True)


def linen() -> Model:
    class Center(nn.Module):
        def __call__(self, x):
            return center(x)

    module = nn.Sequential([nn.Conv(4, (3, 3)), Center(), nn.relu])
    variables = module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    return fv.from_linen(module, variables, input=SPEC)


def nnx_module() -> Model:
    class Net(nnx.Module):
        def __init__(self):
            self.conv = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0))
            self.last = nnx.Conv(4, 2, (3, 3), rngs=nnx.Rngs(1))

        def __call__(self, x):
            return self.last(center(self.conv(x)))

    return fv.from_nnx(Net(), input=SPEC)


def function() -> Model:
    def network(weights, images):
        return {"dot": images @ weights, "normed": jax.nn.standardize(images @ weights, axis=(0, 1, 2))}

    return fv.from_function(network, jnp.ones((3, 4)), input=SPEC)


def keras() -> Model:
    keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")

    class Center(keras.layers.Layer):
        def call(self, x):
            return x - keras.ops.mean(x, 0, keepdims=True)

    layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"), Center(name="center")]
    return fv.from_keras(keras.Sequential(layers))


def torch() -> Model:
    torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(4, track_running_stats=False)
    return fv.from_torch(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), norm, torch.nn.ReLU()), input=FIRST)


def onnx() -> Model:
    pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("ReduceMean", ["c", "axes"], ["m"], name="mean", keepdims=1),
        helper.make_node("Sub", ["c", "m"], ["y"], name="center"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, 6, 6])
    weights = [numpy_helper.from_array(kernel, "w"), numpy_helper.from_array(np.array([0]), "axes")]
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    return fv.from_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def survey_alone(model: Model, layer: str, folder) -> tuple[np.ndarray, np.ndarray]:
    """The maxima of images surveyed together, and apart."""
    together = fv.survey(model, IMAGES, out=folder / "all", layers=[layer], progress=False).maxima(layer)
    apart = [
        fv.survey(model, IMAGES[i : i + 1], out=folder / str(i), layers=[layer], progress=False).maxima(layer)
        for i in range(len(IMAGES))
    ]
    return together, np.concatenate(apart)


# The door, and the first layer that depends on the batch.
DOORS = [
    pytest.param(linen, "layers_1", id="linen"),
    pytest.param(nnx_module, "last", id="nnx"),
    pytest.param(function, "normed", id="function"),
    pytest.param(keras, "center", id="keras", marks=pytest.mark.frameworks),
    pytest.param(torch, "1", id="torch", marks=pytest.mark.frameworks),
    pytest.param(onnx, "center", id="onnx", marks=pytest.mark.frameworks),
]


@pytest.mark.parametrize(("build", "layer"), DOORS)
def test_statistics_over_the_batch_are_found_and_images_run_alone(build: Callable[[], Model], layer: str, tmp_path):
    with (
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        pytest.warns(UserWarning, match=f"`{layer}` of one image depends on the other images.*image by image"),
    ):
        model = build()
    together = model.apply(model.weights, IMAGES)[layer]
    apart = [model.apply(model.weights, IMAGES[i : i + 1])[layer] for i in range(3)]
    np.testing.assert_allclose(together, np.concatenate(apart), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(*survey_alone(model, layer, tmp_path), rtol=1e-5, atol=1e-5)


def test_noise_is_the_same_for_each_image():
    def network(weights, images):
        return images @ weights * jax.random.bernoulli(jax.random.key(3), 0.5, (len(images), 1, 1, 1))

    with (
        jax.numpy_dtype_promotion("standard"),
        pytest.warns(UserWarning, match="depends on random numbers.*image by image, with the same numbers for all"),
    ):
        model = fv.from_function(network, jnp.ones((3, 4)), input=SPEC)
    same = model.apply(model.weights, np.repeat(IMAGES[:1], 3, 0), layers=["<output>"])["<output>"]
    assert (np.asarray(same) == np.asarray(same[:1])).all()


def test_a_network_that_takes_one_image_runs_image_by_image():
    def network(weights, images):
        return images.reshape(1, -1) @ weights

    model = fv.from_function(network, jnp.ones((192, 4)), input=SPEC)
    assert model.apply(model.weights, IMAGES, layers=["dot"])["dot"].shape == (3, 4)


def test_a_network_that_needs_a_batch_is_refused_with_the_layer():
    def network(weights, images):
        if len(images) == 1:
            raise ValueError("expected more than one image")
        return {"centered": center(images @ weights)}

    message = "in network, `centered` of one image depends on .* no single image: expected more than one image"
    with pytest.raises(FeatvizError, match=message):
        fv.from_function(network, jnp.ones((3, 4)), input=SPEC)


@pytest.mark.parametrize("center_over", [(1, 2), -1])
def test_statistics_of_each_image_need_no_run(center_over, monkeypatch):
    monkeypatch.setattr("featviz.adapters.batch_independence._first_that_differs", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fv.from_function(lambda w, x: jax.nn.standardize(x @ w, axis=center_over), jnp.ones((3, 4)), input=SPEC)


def test_steps_that_only_seem_to_mix_images_leave_the_network_as_it_is():
    model = fv.from_function(lambda w, x: (x @ w)[::-1][::-1], jnp.ones((3, 4)), input=SPEC)
    assert not model.apply.network.single_image


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore:.*it is not certain which axis")
@pytest.mark.parametrize("reversed_memory", [False, True])
def test_a_view_that_onnx_has_as_a_gather_is_followed(monkeypatch, reversed_memory):
    """A view of all memory in its order mixes no images; of another one only runs tell."""
    helper = pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks").helper
    from onnx import TensorProto, numpy_helper

    runs = []
    monkeypatch.setattr(batch_independence, "_first_that_differs", lambda *args: runs.append(1))
    tensors = {
        "kernel": np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32),
        "flat": np.array([-1]), "zero": np.array(0), "one": np.array(1), "minus": np.array(-1),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["conv", "flat"], ["rows"]),
        helper.make_node("Size", ["conv"], ["size"]),
        helper.make_node("Range", ["zero", "size", "one"], ["range"]),
        helper.make_node(
            "Mul" if reversed_memory else "Sub", ["range", "minus" if reversed_memory else "size"], ["at"]
        ),
        helper.make_node("Shape", ["conv"], ["shape"]),
        helper.make_node("Reshape", ["at", "shape"], ["places"]),
        helper.make_node("Gather", ["rows", "places"], ["view"], name="view"),
        helper.make_node("Relu", ["view"], ["output"], name="relu"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 4, 8, 8])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model = fv.from_onnx(proto, input=SPEC)
    assert bool(runs) == reversed_memory
    if not reversed_memory:
        values = model.apply(model.weights, IMAGES)
        np.testing.assert_array_equal(values["relu"], np.maximum(values["conv"], 0))


class Loop(nn.Module):
    """A network that takes its images one by one, as code that was written for a single image does."""

    batches: bool

    @nn.compact
    def __call__(self, x):
        conv, head = nn.Conv(4, (3, 3), name="conv"), nn.Dense(2, name="head")
        images = [x[index : index + 1] for index in range(len(x))] if self.batches else list(x)
        return head(jnp.stack([nn.relu(conv(image)).mean((-3, -2)) for image in images])).reshape(len(x), 2)


@pytest.mark.parametrize("batches", [True, False])
def test_what_a_loop_computes_of_one_image_is_of_a_network_that_runs_image_by_image_or_said(batches):
    network = Loop(batches)
    variables = network.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    how = "it is run image by image" if batches else "what the loop computes is no layer"
    with pytest.warns(
        UserWarning, match=f"Loop computes `conv` of one image at a time, in a loop over its batch; {how}"
    ):
        model = fv.from_linen(network, variables, input=SPEC)
    values = model.apply(model.weights, IMAGES)
    np.testing.assert_allclose(values["head"].reshape(3, 2), network.apply(variables, IMAGES), rtol=1e-5, atol=1e-5)
    assert ("conv" in values) == batches
    if batches:
        expected = nn.Conv(4, (3, 3)).apply({"params": variables["params"]["conv"]}, IMAGES)
        np.testing.assert_allclose(values["conv"], expected, rtol=1e-5, atol=1e-5)
