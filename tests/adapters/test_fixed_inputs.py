"""Networks of several inputs: all but the image are fixed arrays; and images that a network takes as whole numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featviz as fv
from featviz.adapters.fixed_inputs import check_fixed, for_images, image_input
from featviz.errors import FeatvizError

SPEC = fv.InputSpec(size=(8, 8))
IMAGES = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
META = np.random.default_rng(1).normal(size=5).astype(np.float32)


@pytest.fixture(autouse=True)
def loose():
    """Keras promotes ranks itself."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def test_the_image_is_the_input_that_is_not_fixed():
    inputs = {"meta": (None, 5), "image": (None, 3, 8, 8), "mask": None}
    assert image_input("net", inputs, {"meta": META, "mask": 1.0}) == "image"
    listed = r"net takes 3 inputs \(`meta` \(\?, 5\), `image` \(\?, 3, 8, 8\), `mask`\); expected `fixed`"
    with pytest.raises(FeatvizError, match=listed):
        image_input("net", inputs, None)
    with pytest.raises(FeatvizError, match="`fixed` names `metta`, which net does not take; did you mean `meta`"):
        image_input("net", inputs, {"metta": META})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    sides=st.lists(st.integers(1, 4), max_size=3),
    batch=st.sampled_from([None, 1]),
    leading=st.booleans(),
    free=st.booleans(),
    count=st.integers(1, 3),
)
def test_arrays_are_repeated_for_each_image(sides, batch, leading, free, count):
    array = np.random.default_rng(0).normal(size=(*((1,) if leading else ()), *sides))
    declared = (batch, *(None if free else side for side in sides))
    fixed = check_fixed("net", {"meta": declared}, {"meta": array})["meta"]
    assert fixed.dtype == np.float32 and fixed.shape == (1, *sides)
    repeated = for_images(fixed, declared, count)
    assert repeated.shape == ((count if batch is None else 1), *sides)
    np.testing.assert_array_equal(repeated[0], fixed[0])


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros((2, 5)), np.zeros((1, 1, 5)), np.zeros(()), ["a"] * 5])
def test_arrays_of_another_shape_are_refused(wrong):
    with pytest.raises(FeatvizError, match="`fixed` has `meta` of"):
        check_fixed("net", {"meta": (None, 5)}, {"meta": wrong})


def activations(model, layer):
    return np.asarray(model.apply(model.weights, IMAGES, layers=[layer])[layer])


@pytest.mark.frameworks
@pytest.mark.parametrize("batch", ["n", 1])
def test_onnx(batch):
    pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: make test-frameworks")
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {
        "kernel": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "dense": random.normal(size=(5, 4)).astype(np.float32),
        "axes": np.array([2, 3]),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], name="conv"),
        helper.make_node("MatMul", ["meta", "dense"], ["m"], name="dense"),
        helper.make_node("Gather", ["m", "which"], ["g"], name="gather", axis=1),
        helper.make_node("Unsqueeze", ["g", "axes"], ["u"], name="unsqueeze"),
        helper.make_node("Mul", ["c", "u"], ["y"], name="scaled"),
    ]
    inputs = [
        helper.make_tensor_value_info("meta", TensorProto.FLOAT, [batch, 5]),
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 8, 8]),
        helper.make_tensor_value_info("which", TensorProto.INT64, [4]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, 6, 6])
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, [output], initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    which = np.array([2, 0, 1, 3])
    model = fv.from_onnx(proto, fixed={"meta": META, "which": which})
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = [{"image": np.moveaxis(x, -1, 0)[None], "meta": META[None], "which": which} for x in IMAGES]
    expected = np.concatenate([np.moveaxis(session.run(None, feed)[0], 1, -1) for feed in feeds])
    np.testing.assert_allclose(activations(model, "scaled"), expected, rtol=1e-4, atol=1e-5)
    # The numbers are weights, and so belong to what identifies the network.
    assert "meta" in model.weights and "which" not in model.weights
    with pytest.raises(FeatvizError, match=r"takes 3 inputs \(`meta` .* `image` .* `which` \(4\)\)"):
        fv.from_onnx(proto, fixed={"meta": META})


def keras_networks():
    """Keras models of two inputs in every way that they are written, with the second one's name."""
    keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")
    layers = keras.layers
    image, meta = layers.Input((8, 8, 3), name="image"), layers.Input((5,), name="meta")
    scaled = layers.Conv2D(4, 3, name="conv")(image) * layers.Reshape((1, 1, 4))(layers.Dense(4)(meta))
    output = layers.Activation("linear", name="scaled")(scaled)

    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.dense = layers.Conv2D(4, 3, name="conv"), layers.Dense(4)
            self.last = layers.Activation("linear", name="scaled")

        def combine(self, image, meta):
            return self.last(self.conv(image) * self.dense(meta)[:, None, None])

    class Apart(Scaled):
        def call(self, image, meta):
            return self.combine(image, meta)

    class Listed(Scaled):
        def call(self, inputs):
            return self.combine(inputs[0], inputs[1])

    class Named(Scaled):
        def call(self, inputs):
            return self.combine(inputs["a"], inputs["b"])

    return {
        "list": (keras.Model([image, meta], output), "meta", lambda x, m: ([x, m],)),
        "reversed": (keras.Model([meta, image], output), "meta", lambda x, m: ([m, x],)),
        "dict": (keras.Model({"image": image, "meta": meta}, output), "meta", lambda x, m: ({"image": x, "meta": m},)),
        "two arguments": (Apart(), "meta", lambda x, m: (x, m)),
        "a list in a subclass": (Listed(), "1", lambda x, m: ([x, m],)),
        "a dict in a subclass": (Named(), "b", lambda x, m: ({"a": x, "b": m},)),
    }


@pytest.mark.frameworks
@pytest.mark.parametrize(
    "kind", ["list", "reversed", "dict", "two arguments", "a list in a subclass", "a dict in a subclass"]
)
def test_keras(kind):
    network, name, arguments = keras_networks()[kind]
    meta = np.repeat(META[None], 3, 0)
    expected = np.asarray(network(*arguments(IMAGES, meta)))
    model = fv.from_keras(network, input=SPEC, fixed={name: META[None]})
    np.testing.assert_allclose(activations(model, "scaled"), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(FeatvizError, match=f"takes 2 inputs .*`{name}`.*expected `fixed`"):
        fv.from_keras(network, input=SPEC)


def gradient(model, layer):
    def total(images):
        return jnp.sum(jnp.square(model.apply(model.weights, images, layers=[layer])[layer]))

    return np.asarray(jax.grad(total)(jnp.asarray(IMAGES)))


@pytest.mark.frameworks
@pytest.mark.parametrize("nested", [False, True])
def test_keras_images_of_bytes_have_gradients(nested):
    keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")
    layers = keras.layers
    image = layers.Input((8, 8, 3), dtype="uint8")
    network = keras.Model(image, layers.Conv2D(4, 3, name="conv")(layers.Rescaling(1 / 255)(image)))
    if nested:
        outer = layers.Input((8, 8, 3), dtype="uint8")
        network = keras.Model(outer, layers.Activation("relu", name="conv")(network(outer)))
    model = fv.from_keras(network)
    assert model.input.scale == 255.0 and np.abs(gradient(model, "conv")).max() > 0
    whole = np.rint(IMAGES * 255)
    expected = np.asarray(network(whole.astype(np.uint8)))
    found = model.apply(model.weights, whole / np.float32(255), layers=["conv"])["conv"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # Outside of the adapter the model takes bytes as before.
    np.testing.assert_allclose(network(whole + 0.4), expected, rtol=1e-4, atol=1e-5)


def torch_networks():
    """PyTorch modules of two inputs, the second one's name, and an array for it."""
    torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")
    torch.manual_seed(0)

    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.dense, self.last = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(5, 4), torch.nn.Identity()

        def forward(self, x, meta):
            return self.last(self.conv(x) * self.dense(meta)[:, :, None, None])

    class Second(Scaled):
        def forward(self, meta, image, scale=1.0, *, twice=False):
            return super().forward(image, meta) * (2 if twice else scale)

    class Selected(Scaled):
        def forward(self, x, **others):
            return self.last(self.conv(x)[:, others["which"]])

    class Optional(Scaled):
        def forward(self, ids=None, pixel_values=None):
            return self.last(self.conv(pixel_values) * self.dense.weight.T[ids][:, :, None, None])

    return {
        "first": (Scaled(), {"meta": META}),
        "with an axis of the batch": (Scaled(), {"meta": META[None]}),
        "second": (Second(), {"meta": META}),
        "also what has a default": (Second(), {"meta": META, "scale": 3.0}),
        "by keyword": (Selected(), {"which": np.array([2, 0, 1])}),
        "all have defaults": (Optional(), {"ids": np.array([3])}),
    }


TORCH = ["first", "with an axis of the batch", "second", "also what has a default", "by keyword", "all have defaults"]


@pytest.mark.frameworks
@pytest.mark.parametrize("kind", TORCH)
def test_torch(kind):
    network, fixed = torch_networks()[kind]
    import torch

    image = {"second": "image", "also what has a default": "image", "all have defaults": "pixel_values"}.get(kind, "x")
    tensors = {name: torch.as_tensor(value) for name, value in fixed.items()}
    if "meta" in tensors:
        tensors["meta"] = tensors["meta"].reshape(1, 5).expand(3, 5)
    if "ids" in tensors:
        tensors["ids"] = tensors["ids"].expand(3)
    with torch.no_grad():
        network.last.register_forward_hook(lambda *args: outputs.append(args[-1]))
        outputs = []
        network(**{image: torch.from_numpy(IMAGES).permute(0, 3, 1, 2)}, **tensors)
    network.last._forward_hooks.clear()
    model = fv.from_torch(network, input=fv.InputSpec(size=(8, 8), channels_first=True), fixed=fixed)
    assert {"conv", "last"} <= {layer.name for layer in model.layers}
    expected = outputs[0].permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(activations(model, "last"), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        activations(model, "last")[1:2], model.apply(model.weights, IMAGES[1:2])["last"], rtol=1e-5
    )


@pytest.mark.frameworks
def test_torch_lists_what_is_missing():
    network, _ = torch_networks()["second"]
    spec = fv.InputSpec(size=(8, 8), channels_first=True)
    with pytest.raises(FeatvizError, match="Second takes 2 inputs .`meta`, `image`.; expected `fixed`"):
        fv.from_torch(network, input=spec)
    with pytest.raises(FeatvizError, match="`fixed` names `metta`, which Second does not take; did you mean `meta`"):
        fv.from_torch(network, input=spec, fixed={"metta": META})
