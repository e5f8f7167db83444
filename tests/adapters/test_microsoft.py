"""onnxruntime's own operators, as its quantizer and its optimizer write them, against onnxruntime."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: make test-frameworks")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import featviz as fv  # noqa: E402

pytestmark = pytest.mark.frameworks

DOMAIN = "com.microsoft"
RANDOM = np.random.default_rng(0)
INTEGERS = st.sampled_from([np.int8, np.uint8])


def network(nodes, tensors, *, rank=4, side=8):
    """A ModelProto over the image `x`, whose output is `y`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, side, side))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "a", "b", "c"][:rank])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def compare(proto, *, layer, step=0.0, side=8):
    """Asserts onnxruntime's values, up to a step of rounding in few places, and a gradient."""
    images = np.random.default_rng(1).random((2, side, side, 3), np.float32)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = runtime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["y"], {"x": np.moveaxis(images, -1, 1)})
    model = fv.from_onnx(proto, input=fv.InputSpec(size=side))

    def value(x):
        return model.apply(model.weights, x, layers=["<output>"])["<output>"]

    found = np.asarray(value(jnp.asarray(images)))
    expected = np.moveaxis(expected, 1, -1) if expected.ndim == 4 and found.shape != expected.shape else expected
    assert found.shape == expected.shape
    wrong = ~np.isclose(found, expected, rtol=1e-4, atol=1e-4)
    # Halves are rounded up or down as the kernel has it.
    assert wrong.mean() < 0.1 and (np.abs(found - expected) < step + 1e-3).all(), (found[wrong], expected[wrong])
    gradient = jax.grad(lambda x: jnp.sum(value(x) ** 3))(jnp.asarray(images))
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    assert layer in [each.name for each in model.layers]


def quantized(kind, name, source, scale):
    """A QuantizeLinear, and its scale and zero point."""
    zero = 0 if kind == np.int8 else 100
    tensors = {f"{name}_s": np.float32(scale), f"{name}_z": np.array(zero, kind)}
    node = helper.make_node("QuantizeLinear", [source, f"{name}_s", f"{name}_z"], [name], name=f"{name}_quantized")
    return node, tensors, [name, f"{name}_s", f"{name}_z"]


OPERATORS = {
    "QLinearAdd": (2, {}),
    "QLinearMul": (2, {}),
    "QLinearLeakyRelu": (1, {"alpha": 0.2}),
    "QLinearSigmoid": (1, {}),
    "QLinearAveragePool": (1, {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 0]}),
    "QLinearGlobalAveragePool": (1, {"channels_last": 0}),
    "QLinearSoftmax": (1, {"axis": 1, "opset": 13}),
    "QLinearReduceMean": (1, {"axes": [2, 3], "keepdims": 1}),
    "QLinearConcat": (2, {"axis": 1}),
    "QLinearWhere": (2, {}),
}


@settings(max_examples=20, deadline=None, derandomize=True)
@given(kind=INTEGERS, operator=st.sampled_from(sorted(OPERATORS)), scale=st.sampled_from([0.02, 0.05]))
def test_quantized_operators(kind, operator, scale):
    count, attributes = OPERATORS[operator]
    first, tensors, words = quantized(kind, "a", "x", 0.01)
    second, more, others = quantized(kind, "b", "x", 0.013)
    result = {"r_s": np.float32(scale / 4), "r_z": np.array(3, kind)}
    inputs = {
        "QLinearConcat": ["r_s", "r_z", *words, *others],
        "QLinearWhere": ["chosen", *words, *others, "r_s", "r_z"],
    }.get(operator, [*words, *(others if count == 2 else []), "r_s", "r_z"])
    tensors |= {"half": np.float32(0.5)}
    nodes = [
        first,
        second,
        helper.make_node("Greater", ["x", "half"], ["chosen"], name="greater"),
        helper.make_node(operator, inputs, ["r"], name="quantized", domain=DOMAIN, **attributes),
        helper.make_node("DequantizeLinear", ["r", "r_s", "r_z"], ["y"], name="result"),
    ]
    if operator in ("QLinearWhere", "QLinearReduceMean") and operator not in AVAILABLE:
        return
    compare(network(nodes, tensors | more | result), layer="result", step=scale / 4)


# Those of the list that this onnxruntime has for the CPU.
AVAILABLE = {"QLinearWhere"}


@settings(max_examples=5, deadline=None, derandomize=True)
@given(kind=INTEGERS, per_column=st.booleans(), transposed=st.booleans(), floats=st.booleans())
def test_quantized_gemm(kind, per_column, transposed, floats):
    columns = 6 if per_column else 1
    scales = np.linspace(0.01, 0.02, columns).astype(np.float32)
    matrix = RANDOM.integers(-30, 30, (6, 192) if transposed else (192, 6)).astype(np.int8)
    first, tensors, words = quantized(kind, "a", "f", 0.01)
    tensors |= {
        "w": matrix, "w_s": scales if per_column else scales[0],
        "w_z": np.zeros(columns, np.int8) if per_column else np.int8(0),
        "c": RANDOM.integers(-500, 500, 6).astype(np.int32), "r_s": np.float32(0.5), "r_z": np.array(7, kind),
    }  # fmt: skip
    ends = [] if floats else ["r_s", "r_z"]
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], name="flatten"),
        first,
        helper.make_node("QGemm", [*words, "w", "w_s", "w_z", "c", *ends], ["y" if floats else "r"], name="dense",
                         domain=DOMAIN, transB=int(transposed)),
    ]  # fmt: skip
    if not floats:
        nodes.append(helper.make_node("DequantizeLinear", ["r", "r_s", "r_z"], ["y"], name="result"))
    compare(network(nodes, tensors, rank=2), layer="dense", step=0.5)


def test_kernels_of_bytes_are_weights():
    first, tensors, words = quantized(np.uint8, "a", "x", 0.01)
    tensors |= {"w": RANDOM.integers(-50, 50, (4, 3, 3, 3)).astype(np.int8), "w_s": np.float32(0.01), "w_z": np.int8(0),
                "r_s": np.float32(0.05), "r_z": np.uint8(90)}  # fmt: skip
    inputs = [*words, "w", "w_s", "w_z", "r_s", "r_z"]
    nodes = [
        first,
        helper.make_node("QLinearConv", inputs, ["r"], name="conv"),
        helper.make_node("DequantizeLinear", ["r", "r_s", "r_z"], ["y"], name="result"),
    ]
    proto = network(nodes, tensors)
    assert "w" in fv.from_onnx(proto, input=fv.InputSpec(size=8)).weights
    compare(proto, layer="result", step=0.05)


FUSED = {
    "FusedConv": (["x", "kernel", "bias"], {"activation": "Relu"}),
    "FusedConv leaky": (["x", "kernel"], {"activation": "LeakyRelu", "activation_params": [0.3]}),
    "FusedMatMul": (["x", "square"], {"alpha": 0.5, "transB": 1}),
    "FusedGemm": (["f", "dense", "bias"], {"activation": "Relu", "transB": 1}),
    "BiasGelu": (["x", "row"], {}),
    "FastGelu": (["x", "row"], {}),
    "Gelu": (["x"], {}),
    "QuickGelu": (["x"], {"alpha": 1.5}),
    "SkipLayerNormalization": (["t", "t", "three", "three"], {"epsilon": 1e-5}),
    "DynamicQuantizeMatMul": (["x1", "bytes", "scale", "zero", "row"], {}),
}


@pytest.mark.parametrize("operator", FUSED)
def test_fused_operators(operator):
    inputs, attributes = FUSED[operator]
    tensors = {
        "kernel": RANDOM.normal(size=(3, 3, 3, 3)).astype(np.float32), "bias": np.array([0.1, -0.2, 0.3], np.float32),
        "square": RANDOM.normal(size=(8, 8)).astype(np.float32), "row": np.linspace(0, 1, 8).astype(np.float32),
        "three": np.linspace(0.5, 1, 3).astype(np.float32),
        "dense": RANDOM.normal(size=(3, 192)).astype(np.float32), "tokens": np.array([-1, 3, 64]),
        "bytes": RANDOM.integers(-50, 50, (8, 8)).astype(np.int8), "scale": np.float32(0.01), "zero": np.int8(0),
    }  # fmt: skip
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], name="flatten"),
        helper.make_node("Reshape", ["x", "tokens"], ["u"], name="units"),
        helper.make_node("Transpose", ["u"], ["t"], name="tokens", perm=[0, 2, 1]),
        helper.make_node("Identity", ["x"], ["x1"], name="same"),
        helper.make_node(operator.partition(" ")[0], inputs, ["y"], name="fused", domain=DOMAIN, **attributes),
    ]
    if operator == "DynamicQuantizeMatMul":
        # Its scale is that of all images: they run one by one.
        model = fv.from_onnx(network(nodes, tensors), input=fv.InputSpec(size=8))
        images = np.random.default_rng(1).random((2, 8, 8, 3), np.float32) * np.array([0.1, 1.0])[:, None, None, None]
        both = model.apply(model.weights, images.astype(np.float32), layers=["fused"])["fused"]
        alone = model.apply(model.weights, images[:1].astype(np.float32), layers=["fused"])["fused"]
        np.testing.assert_allclose(both[:1], alone, rtol=1e-5)
        return
    rank = {"FusedGemm": 2, "SkipLayerNormalization": 3}.get(operator, 4)
    compare(network(nodes, tensors, rank=rank), layer="fused")
