"""ONNX files that are exported for training: their dropouts drop nothing, and that is said."""

import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs ONNX: make test-frameworks")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import featviz as fv  # noqa: E402

pytestmark = pytest.mark.frameworks

KERNEL = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def adapted(ratio, training, *, opset=17, **attributes):
    """A convolution with two dropouts behind it as a Model, and what is said of it."""
    arrays = {"kernel": KERNEL, "ratio": np.float32(ratio), "training": np.bool_(training)}
    given = ["ratio", "training"] if opset > 6 else []
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], name="conv"),
        helper.make_node("Dropout", ["c", *given], ["d"], name="drop", **attributes),
        helper.make_node("Dropout", ["d", *given], ["y"], name="last", **attributes),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 6, 6))],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fv.from_onnx(proto)
    return model, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("options", [{"training": True}, {"training": True, "opset": 6, "is_test": 0}])
def test_a_dropout_in_training_mode_drops_nothing_and_that_is_said(options):
    model, said = adapted(0.5, **options)
    assert said == [
        "`model` is exported for training: its dropout `drop` and 1 more drops nothing here, as at inference"
    ]
    values = model.apply(model.weights, np.ones((1, 8, 8, 3), np.float32))
    np.testing.assert_array_equal(values["last"], values["conv"])


@pytest.mark.parametrize(
    "options",
    [
        {"ratio": 0.5, "training": False},
        {"ratio": 0.0, "training": True},
        {"ratio": 0.5, "training": True, "opset": 6, "is_test": 1},
    ],
)
def test_nothing_is_said_of_a_dropout_that_drops_nothing(options):
    assert not adapted(**options)[1]
