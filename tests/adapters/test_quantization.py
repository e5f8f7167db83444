"""Quantized networks as quantizers write them: onnxruntime's values, and gradients straight through rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: make test-frameworks")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.adapters.onnx.operators.quantization import quantize  # noqa: E402

pytestmark = pytest.mark.frameworks


def network(nodes, tensors, *, opset, side=8):
    """A ModelProto over the image `x`, whose output is `y`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, side, side))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model)


def compare(proto, images, *, layer):
    """Asserts onnxruntime's values, up to one step of rounding in few places, and a gradient."""
    options = onnxruntime.SessionOptions()
    # Fused kernels round elsewhere.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["y"], {"x": np.moveaxis(images, -1, 1)})
    model = fv.from_onnx(proto, input=fv.InputSpec(size=images.shape[1]))

    def value(weights, x):
        return model.apply(weights, x, layers=[layer])[layer]

    found = np.asarray(value(model.weights, jnp.asarray(images)))
    expected = np.moveaxis(expected, 1, -1) if expected.ndim == 4 else expected
    assert found.shape == expected.shape
    wrong = ~np.isclose(found, expected, rtol=1e-4, atol=1e-4)
    assert wrong.mean() < 0.01, (found, expected)
    gradient = jax.grad(lambda x: jnp.sum(jnp.square(value(model.weights, x))))(jnp.asarray(images))
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    return model


INTEGERS = st.sampled_from([np.int8, np.uint8, np.int16, np.uint16])


@settings(max_examples=12, deadline=None)
@given(
    weights=st.sampled_from([np.int8, np.uint8]),
    activations=INTEGERS,
    per_channel=st.booleans(),
    with_zero=st.booleans(),
    seed=st.integers(0, 9),
)
def test_networks_of_quantizers_and_dequantizers(weights, activations, per_channel, with_zero, seed):
    draw = np.random.default_rng(seed)
    opset = 21 if np.dtype(activations).itemsize == 2 else 17
    info = np.iinfo(activations)
    x_zero = activations((info.max + info.min) // 2 + 3 if with_zero else 0)
    scale = draw.uniform(0.002, 0.006, 4).astype("f4") if per_channel else np.float32(0.004)
    limits = np.iinfo(weights)
    tensors = {
        "xs": np.float32(1 / 100), "xz": x_zero, "ys": np.float32(1 / 50), "yz": x_zero, "s": scale,
        "Q": draw.integers(limits.min, limits.max + 1, (4, 3, 3, 3)).astype(weights),
        "z": np.full(np.shape(scale), 128 if weights is np.uint8 else 0, weights),
        "B": draw.integers(-900, 900, 4).astype(np.int32), "bs": np.float32(2e-3),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "xs", "xz"], ["d"], name="d"),
        helper.make_node("DequantizeLinear", ["Q", "s", "z"], ["w"], name="wd", **({"axis": 0} if per_channel else {})),
        helper.make_node("DequantizeLinear", ["B", "bs"], ["b"], name="bd"),
        helper.make_node("Conv", ["d", "w", "b"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("QuantizeLinear", ["r", "ys", "yz"], ["rq"], name="rq"),
        helper.make_node("MaxPool", ["rq"], ["p"], name="pool", kernel_shape=[2, 2])
        if activations in (np.int8, np.uint8)
        else helper.make_node("Identity", ["rq"], ["p"], name="pool"),
        helper.make_node("DequantizeLinear", ["p", "ys", "yz"], ["y"], name="yd"),
    ]
    images = draw.random((2, 8, 8, 3)).astype("f4")
    model = compare(network(nodes, tensors, opset=opset), images, layer="yd")
    assert {"w", "b"} <= set(model.weights), "the weights of a quantized network are an argument too"


@pytest.mark.parametrize("per_channel", [False, True])
def test_networks_of_quantized_operators(per_channel):
    draw = np.random.default_rng(0)
    shape = 4 if per_channel else ()
    tensors = {
        "xs": np.float32(0.01), "xz": np.uint8(3), "ys": np.float32(0.02), "yz": np.uint8(100),
        "w": draw.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8), "ws": np.full(shape, 0.005, "f4"),
        "wz": np.zeros(shape, np.int8), "b": draw.integers(-900, 900, 4).astype(np.int32),
        "m": draw.integers(-127, 128, (6, 5)).astype(np.int8), "ms": np.full(5 if per_channel else (), 0.01, "f4"),
        "mz": np.zeros(5 if per_channel else (), np.int8), "zs": np.float32(0.05), "zz": np.uint8(128),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"], name="q"),
        helper.make_node("QLinearConv", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["c"], name="conv"),
        helper.make_node("QLinearMatMul", ["c", "ys", "yz", "m", "ms", "mz", "zs", "zz"], ["p"], name="product"),
        helper.make_node("DequantizeLinear", ["p", "zs", "zz"], ["y"], name="yd"),
    ]
    # The product runs over the width.
    images = draw.random((2, 8, 8, 3)).astype("f4")
    proto = network(nodes, tensors, opset=17)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["y"], {"x": np.moveaxis(images, -1, 1)})
    model = fv.from_onnx(proto, input=fv.InputSpec(size=8))
    found = np.asarray(model.apply(model.weights, jnp.asarray(images), layers=["<output>"])["<output>"])
    turned = [np.moveaxis(expected, axis, -1) for axis in (1, 2, 3)]
    assert any(each.shape == found.shape and np.isclose(each, found, atol=0.051).all() for each in turned)
    assert any(each.shape == found.shape and np.isclose(each, found, atol=1e-4).mean() > 0.98 for each in turned)


def test_dynamic_quantization_is_that_of_one_image():
    draw = np.random.default_rng(0)
    w = draw.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"], name="q"),
        helper.make_node("ConvInteger", ["q", "w", "qz"], ["c"], name="conv"),
        helper.make_node("Cast", ["c"], ["f"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["qs", "ws"], ["s"], name="scale"),
        helper.make_node("Mul", ["f", "s"], ["y"], name="y"),
    ]
    proto = network(nodes, {"w": w, "ws": np.float32(0.01)}, opset=17)
    images = draw.random((2, 8, 8, 3)).astype("f4") * np.array([0.2, 1.0], "f4").reshape(2, 1, 1, 1)
    model = fv.from_onnx(proto, input=fv.InputSpec(size=8))
    together = model.apply(model.weights, jnp.asarray(images), layers=["y"])["y"]
    for index in range(2):
        alone = images[index : index + 1]
        compare(proto, alone, layer="y")
        found = model.apply(model.weights, jnp.asarray(alone), layers=["y"])["y"]
        np.testing.assert_allclose(together[index], found[0], rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), dtype=INTEGERS, zero=st.integers(0, 100))
def test_the_gradient_is_that_of_the_clipped_value(seed, dtype, zero):
    x = jnp.asarray(np.random.default_rng(seed).normal(0, 300, 64).astype("f4"))
    scale, zero = np.float32(0.9), np.asarray(zero, dtype)
    info = np.iinfo(dtype)
    gradient = np.asarray(jax.grad(lambda x: quantize(x, scale, zero, np.dtype(dtype)).sum())(x))
    steps = np.asarray(x) / scale + float(zero)
    inside = (steps > info.min) & (steps < info.max)
    np.testing.assert_allclose(gradient, np.where(inside, 1 / scale, 0), rtol=1e-5)
    expected = np.clip(np.round(np.asarray(x) / scale) + float(zero), info.min, info.max)
    np.testing.assert_array_equal(quantize(x, scale, zero, np.dtype(dtype)), expected)
