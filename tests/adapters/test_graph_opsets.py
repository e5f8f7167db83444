"""Constants of a file are folded as the file's own opset says: onnxruntime's values over all opsets that it runs."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: make test-frameworks")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from featviz.adapters.onnx.graph import run  # noqa: E402
from featviz.adapters.onnx.model_file import read_onnx  # noqa: E402

pytestmark = pytest.mark.frameworks

I = np.int64  # noqa: E741
A, F = np.arange(1, 7, dtype=I), np.array([0.5, 1.5, -2.5, 4.0], np.float32)
FLOATS, INTS = TensorProto.FLOAT, TensorProto.INT64
# What exporters compute shapes with. By name: first and last opset, operator, inputs, attributes. Where the standard
# moved an attribute to the inputs, there are two.
NODES = {
    "unsqueeze": (7, 12, "Unsqueeze", [I(4)], {"axes": [0]}),
    "unsqueeze two": (7, 12, "Unsqueeze", [A], {"axes": [0, 2]}),
    "unsqueeze by input": (13, 22, "Unsqueeze", [I(4), np.array([0])], {}),
    "squeeze": (7, 12, "Squeeze", [A[:1]], {"axes": [0]}),
    "squeeze by input": (13, 22, "Squeeze", [A[:1], np.array([0])], {}),
    "squeeze all": (7, 22, "Squeeze", [A[:1]], {}),
    "slice": (7, 9, "Slice", [A], {"starts": [1], "ends": [-1], "axes": [0]}),
    "slice by input": (10, 22, "Slice", [A, np.array([4]), np.array([0]), np.array([0]), np.array([-2])], {}),
    "split": (7, 12, "Split", [A], {"axis": 0, "split": [2, 4]}),
    "split by input": (13, 22, "Split", [A, np.array([2, 4])], {}),
    "reduce sum": (7, 12, "ReduceSum", [F], {"axes": [0], "keepdims": 0}),
    "reduce sum by input": (13, 22, "ReduceSum", [F, np.array([0])], {"keepdims": 0}),
    "reduce prod": (7, 17, "ReduceProd", [F], {"axes": [0]}),
    "reduce prod by input": (18, 22, "ReduceProd", [F, np.array([0])], {}),
    "reduce max": (7, 17, "ReduceMax", [F], {"keepdims": 0}),
    "clip": (7, 10, "Clip", [F], {"min": 0.0, "max": 2.0}),
    "clip by input": (11, 22, "Clip", [F, np.float32(0), np.float32(2)], {}),
    "pad": (7, 10, "Pad", [F], {"pads": [1, 2], "value": 3.0}),
    "pad by input": (11, 22, "Pad", [F, np.array([1, 2]), np.float32(3)], {}),
    "top k": (7, 9, "TopK", [F], {"k": 2}),
    "top k by input": (10, 22, "TopK", [F, np.array([2])], {}),
    "softmax": (7, 12, "Softmax", [F.reshape(2, 2)], {"axis": 0}),
    "softmax by axis": (13, 22, "Softmax", [F.reshape(2, 2)], {"axis": 0}),
    "cast": (7, 22, "Cast", [F], {"to": INTS}),
    "concat": (7, 22, "Concat", [A, A[:2]], {"axis": 0}),
    "gather": (7, 22, "Gather", [A, np.array([0, 2])], {}),
    "gather negative": (11, 22, "Gather", [A, I(-1)], {}),
    "reshape": (7, 22, "Reshape", [A, np.array([2, -1])], {}),
    "transpose": (7, 22, "Transpose", [A.reshape(2, 3)], {}),
    "flatten": (7, 22, "Flatten", [F.reshape(2, 2)], {}),
    "add": (7, 22, "Add", [A, I(3)], {}),
    "sub": (7, 22, "Sub", [A, I(3)], {}),
    "mul": (7, 22, "Mul", [F, np.float32(3)], {}),
    "div": (7, 22, "Div", [A - 4, I(2)], {}),
    "floor": (7, 22, "Floor", [F], {}),
    "ceil": (7, 22, "Ceil", [F], {}),
    "sqrt": (7, 22, "Sqrt", [np.abs(F)], {}),
    "pow": (7, 22, "Pow", [F, np.float32(2)], {}),
    "min": (8, 22, "Min", [F, F[::-1].copy()], {}),
    "expand": (8, 22, "Expand", [A[:1], np.array([3, 2])], {}),
    "tile": (7, 22, "Tile", [A, np.array([2])], {}),
    "constant of shape": (9, 22, "ConstantOfShape", [np.array([2, 3])],
                          {"value": helper.make_tensor("v", INTS, [1], [7])}),
    "where": (9, 22, "Where", [A > 2, A, -A], {}),
    "equal": (7, 22, "Equal", [A, I(3)], {}),
    "less": (9, 22, "Less", [A, I(3)], {}),
    "not": (7, 22, "Not", [A > 2], {}),
    "arg max": (7, 22, "ArgMax", [F], {"axis": 0}),
    "range": (11, 22, "Range", [I(1), I(9), I(3)], {}),
    "mod": (10, 22, "Mod", [A, I(4)], {}),
    "cumsum": (11, 22, "CumSum", [F, I(0)], {}),
    "non zero": (9, 22, "NonZero", [A - 3], {}),
    "scatter": (11, 15, "ScatterElements", [A, np.array([0, 2]), np.array([9, 8])], {}),
    "scatter nd": (11, 15, "ScatterND", [A, np.array([[0], [2]]), np.array([9, 8])], {}),
    "one hot": (9, 22, "OneHot", [A[:2], I(4), np.array([0, 1])], {}),
    "identity": (7, 22, "Identity", [A], {}),
    "dropout": (7, 22, "Dropout", [F], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_constants_are_folded_as_the_opset_says(name):
    first, last, operator, inputs, attributes = NODES[name]
    outputs = [f"y{index}" for index in range(2 if operator in ("Split", "TopK") else 1)]
    for opset in range(first, last + 1):
        tensors = [numpy_helper.from_array(np.asarray(value), f"i{index}") for index, value in enumerate(inputs)]
        nodes = [
            helper.make_node(operator, [tensor.name for tensor in tensors], outputs, name="folded", **attributes),
            helper.make_node("Identity", ["x"], ["image"], name="image"),
        ]
        values = [onnx.ValueInfoProto(name=output) for output in (*outputs, "image")]
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", FLOATS, (1, 3, 4, 4))], values, tensors
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
        model = onnx.shape_inference.infer_shapes(model)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        image = np.zeros((1, 3, 4, 4), np.float32)
        expected = session.run(outputs, {"x": image})
        file = read_onnx(model, "`model`")
        found = run(file.graph, {**file.weights, "x": image})
        for ours, theirs in zip(found, expected, strict=False):
            assert np.shape(ours) == theirs.shape and np.asarray(ours).dtype == theirs.dtype, opset
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=f"opset {opset}")
