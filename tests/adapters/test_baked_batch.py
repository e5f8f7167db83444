"""ONNX files exported for a fixed batch run for any number of images, with onnxruntime's values, or are refused."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: make test-frameworks")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.errors import FeatvizError  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore:.*it is not certain which axis")]

RANDOM = np.random.default_rng(0)


def network(batch, kind):
    """Tokens of patches with a class token in front, in ways that exporters write a batch into the file."""
    tensors = {
        "kernel": RANDOM.normal(size=(8, 3, 2, 2)).astype(np.float32) * 0.5,
        "dense": RANDOM.normal(size=(8, 8)).astype(np.float32) * 0.5,
        "tokens": np.array([batch, 8, 16]),
        "folded": np.array([batch * 17, 8]),
        "unfolded": np.array([batch, 17, 8]),
        "first": np.array([17, batch * 2, 4]),
        "repeats": np.array([batch, 1, 1]),
        "sizes": np.array([batch, 1, 8]),
        "class": RANDOM.normal(size=(1, 1, 8)).astype(np.float32),
        "classes": np.repeat(RANDOM.normal(size=(1, 1, 8)).astype(np.float32), batch, 0),
        "each": np.arange(batch * 8, dtype=np.float32).reshape(batch, 1, 8),
        "axes": np.array([1]),
    }
    token = {
        "expanded": [helper.make_node("Expand", ["class", "sizes"], ["k"], name="token")],
        "tiled": [helper.make_node("Tile", ["class", "repeats"], ["k"], name="token")],
        "repeated": [helper.make_node("Identity", ["classes"], ["k"], name="token")],
        "constant": [],
        "of each image": [],
        "tokens first": [],
    }[kind]
    source = {"constant": "classes", "of each image": "each", "tokens first": "classes"}.get(kind, "k")
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], name="conv", strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Reshape", ["r", "tokens"], ["t"], name="flatten"),
        helper.make_node("Transpose", ["t"], ["u"], name="tokens", perm=[0, 2, 1]),
        *token,
        helper.make_node("Concat", [source, "u"], ["v"], name="joined", axis=1),
    ]
    if kind == "tokens first":
        nodes += [
            helper.make_node("Transpose", ["v"], ["f"], name="first", perm=[1, 0, 2]),
            helper.make_node("Reshape", ["f", "first"], ["h"], name="heads"),
            helper.make_node("Tanh", ["h"], ["a"], name="tanh"),
            helper.make_node("Transpose", ["a"], ["b"], name="back", perm=[1, 0, 2]),
            helper.make_node("Reshape", ["b", "unfolded"], ["w"], name="unfolded"),
        ]
    else:
        nodes += [
            helper.make_node("Reshape", ["v", "folded"], ["f"], name="folded"),
            helper.make_node("MatMul", ["f", "dense"], ["d"], name="dense"),
            helper.make_node("Reshape", ["d", "unfolded"], ["w"], name="unfolded"),
        ]
    nodes.append(helper.make_node("ReduceMean", ["w"], ["y"], name="mean", axes=[1], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (batch, 8))],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("batch", [2, 4])
@pytest.mark.parametrize("kind", ["expanded", "tiled", "repeated", "constant", "tokens first"])
def test_values_are_those_of_each_image(kind, batch):
    proto = network(batch, kind)
    images = RANDOM.random((batch, 8, 8, 3), np.float32)
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": np.moveaxis(images, -1, 1)})
    model = fv.from_onnx(proto)
    for count in {1, batch, 3}:
        given = np.concatenate([images, images])[:count]
        found = model.apply(model.weights, given, layers=["<output>", "relu"])
        doubled = np.concatenate([expected, expected])
        np.testing.assert_allclose(found["<output>"], doubled[:count], rtol=1e-4, atol=1e-5)
        assert found["relu"].shape == (count, 4, 4, 8)
    assert "kernel" in model.weights


def test_constants_of_each_image_are_refused():
    with pytest.raises(FeatvizError, match="takes a fixed batch of 2 images, which its nodes depend on; expected 1 or"):
        fv.from_onnx(network(2, "of each image"))
