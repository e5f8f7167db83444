"""What runtimes do without and ONNX's checker does not: shapes of a file's outputs, and its nodes in order."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def with_output_shapes(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """The proto with the shapes of its outputs, which runtimes do without and the checker does not."""
    from onnx import shape_inference

    stated = all(output.type.tensor_type.HasField("shape") for output in proto.graph.output)
    return proto if stated else shape_inference.infer_shapes(proto)


def in_order(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """The proto with each node behind those whose outputs it takes, as tools that insert nodes may not leave it."""
    import onnx

    from featviz.adapters.onnx.protos import used_names

    made = {output: index for index, node in enumerate(proto.graph.node) for output in node.output if output}
    needs: list[set[int]] = []
    for index, node in enumerate(proto.graph.node):
        inner = set().union(*(used_names(each.g) for each in node.attribute if each.HasField("g")))
        needs.append({made[name] for name in {*node.input, *inner} & made.keys()} - {index})
    if all(max(before, default=-1) < index for index, before in enumerate(needs)):
        return proto
    placed: dict[int, None] = {}
    while len(placed) < len(needs):
        ready = [index for index, before in enumerate(needs) if index not in placed and before <= placed.keys()]
        if not ready:
            # A circle, which the checker names.
            return proto
        placed |= dict.fromkeys(ready)
    ordered = onnx.ModelProto()
    ordered.CopyFrom(proto)
    del ordered.graph.node[:]
    ordered.graph.node.extend(proto.graph.node[index] for index in placed)
    return ordered


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
