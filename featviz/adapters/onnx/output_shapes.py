"""Shapes of a file's outputs, which runtimes do without and ONNX's checker does not."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def with_output_shapes(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """The proto with the shapes of its outputs, which runtimes do without and the checker does not."""
    from onnx import shape_inference

    stated = all(output.type.tensor_type.HasField("shape") for output in proto.graph.output)
    return proto if stated else shape_inference.infer_shapes(proto)


def check(proto: "onnx.ModelProto") -> None:
    """Raises the checker's exception where a proto is not valid, but for shapes of outputs that nothing tells."""
    import onnx

    unknown = [
        output.type.tensor_type for output in proto.graph.output if not output.type.tensor_type.HasField("shape")
    ]
    for kind in unknown:
        kind.shape.SetInParent()
    try:
        onnx.checker.check_model(proto)
    finally:
        for kind in unknown:
            kind.ClearField("shape")
