"""An ONNX file read, checked and laid out: what is a weight, what is a constant, and what each value is called."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from featviz.adapters.onnx.operators import OPERATORS
from featviz.adapters.onnx.protos import array_of, borrowed, constant_of, operator_of, value_of
from featviz.errors import FeatvizError, in_one_line

# Inputs that must be known while a network is traced.
STATIC = {
    "Clip": (1, 2), "ConstantOfShape": (0,), "Dropout": (1, 2), "Expand": (1,), "Pad": (1, 2, 3), "Pow": (1,),
    "Range": (0, 1, 2), "Reshape": (1,), "Resize": (1, 2, 3), "Slice": (1, 2, 3, 4), "Tile": (1,), "TopK": (1,),
    "Upsample": (1,),
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One node: its name, as Netron shows it, its operator with its domain, and its attributes as Python values."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: Any


@dataclass(frozen=True)
class Graph:
    """The nodes that the output needs, in order. `names` has those of the values that are layers."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]
    opset: int
    names: Mapping[str, str]


@dataclass(frozen=True)
class File:
    """A network's graph, its weights, and its image: the input's name and declared shape, None where it is free.

    `whole` says that the image is of whole numbers.
    """

    graph: Graph
    weights: Mapping[str, np.ndarray]
    image: str
    whole: bool
    shape: tuple[int | None, ...]


def read(model: Any, what: str) -> File:
    """A ModelProto, or the file at a path, with the external data beside it, laid out.

    Raises: FeatvizError if it cannot be read, is not valid ONNX, or does not take one image.
    """
    import onnx
    from onnx.inliner import inline_local_functions

    proto = _load(model, what)
    try:
        onnx.checker.check_model(proto)
        proto = inline_local_functions(proto)
        names = _names(proto.graph)
        proto = _take_apart(proto)
        opset = max((each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")), default=1)
        constants = {each.name: array_of(each) for each in proto.graph.initializer}
        graph = lay_out(proto.graph, constants, opset, names)
    except FeatvizError:
        raise
    # The checker, protobuf and numpy each raise their own.
    except Exception as error:
        raise FeatvizError(f"{what} is not valid ONNX: {in_one_line(error)}") from None
    inputs = [each for each in proto.graph.input if each.name not in constants]
    if len(inputs) != 1:
        found = ", ".join(f"`{each.name}`" for each in inputs) or "none"
        raise FeatvizError(f"{what} takes {len(inputs)} inputs ({found}); expected one, the image")
    declared = inputs[0].type.tensor_type
    shape = tuple(dim.dim_value or None for dim in declared.shape.dim)
    floating = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
    fixed = _fixed(graph.nodes)
    weights = {
        name: array
        for name, array in graph.constants.items()
        if np.issubdtype(array.dtype, np.floating) and array.ndim and name not in fixed
    }
    rest = {name: array for name, array in graph.constants.items() if name not in weights}
    plain = Graph(graph.nodes, rest, graph.outputs, opset, names)
    return File(plain, weights, inputs[0].name, declared.elem_type not in floating, shape)


def lay_out(proto: Any, constants: Mapping[str, np.ndarray], opset: int, names: Mapping[str, str]) -> Graph:
    """A graph's nodes that its outputs need; `Constant` nodes and initializers are among the constants."""
    known = dict(constants)
    outputs = tuple(each.name for each in proto.output)
    needed, nodes = set(outputs), []
    for node in reversed(proto.node):
        if needed.isdisjoint(node.output):
            continue
        if node.op_type == "Constant":
            known[node.output[0]] = constant_of(node)
            continue
        inner = [each.g for each in node.attribute if each.HasField("g")]
        needed.update(node.input, *(name for graph in inner for name in borrowed(graph)))
        nodes.append(
            Node(
                node.name.strip("/") or node.output[0],
                operator_of(node),
                tuple(node.input),
                tuple(node.output),
                {each.name: value_of(each) for each in node.attribute},
                node,
            )
        )
    return Graph(tuple(reversed(nodes)), {name: known[name] for name in known if name in needed}, outputs, opset, names)


def _fixed(nodes: Sequence[Node]) -> set[str]:
    """The values that must be known, and all that they are worked out from."""
    fixed: set[str] = set()
    for node in reversed(nodes):
        if not fixed.isdisjoint(node.outputs) and node.operator not in ("Shape", "Size"):
            fixed.update(node.inputs)
        fixed.update(name for at in STATIC.get(node.operator, ()) for name in node.inputs[at : at + 1])
    return fixed


def _load(model: Any, what: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    if isinstance(model, onnx.ModelProto):
        if any(each.data_location == onnx.TensorProto.EXTERNAL for each in model.graph.initializer):
            raise FeatvizError(f"{what} keeps its weights in another file; expected the path of the .onnx file")
        return model
    if not isinstance(model, str | os.PathLike):
        raise FeatvizError(f"`model` is a {type(model).__name__}; expected the path of an ONNX file, or a ModelProto")
    path = Path(model)
    try:
        # ONNX reads external data from the file's own folder only.
        return onnx.load(path)
    except (OSError, DecodeError, onnx.checker.ValidationError, ValueError) as error:
        reason = "it does not exist" if not path.exists() else in_one_line(error)
        raise FeatvizError(f"`{path.name}` cannot be read as ONNX: {reason}") from None


def _take_apart(proto: Any) -> Any:
    """The network without the operators that the table lacks, where the standard itself defines them by others."""
    from onnx import helper, shape_inference
    from onnx.inliner import inline_selected_functions

    found = [(node.domain, node.op_type) for node in proto.graph.node if operator_of(node) not in OPERATORS]
    lacking = sorted({(domain, kind) for domain, kind in found if _has_body(domain, kind)})
    if not lacking:
        return proto
    # Some definitions depend on their inputs' types.
    proto = shape_inference.infer_shapes(proto)
    known = {each.name for each in (*proto.graph.value_info, *proto.graph.input)}
    proto.graph.value_info.extend(
        helper.make_tensor_value_info(each.name, each.data_type, each.dims)
        for each in proto.graph.initializer
        if each.name not in known
    )
    return inline_selected_functions(proto, lacking, inline_schema_functions=True)


def _names(proto: Any) -> dict[str, str]:
    """What the node's outputs are called: as the node, or as they are themselves where it has no name."""
    return {
        output: (node.name.strip("/") or output.strip("/")) + (f"[{number}]" if number else "")
        for node in proto.node
        for number, output in enumerate(node.output)
        if output
    }


def _has_body(domain: str, kind: str) -> bool:
    from onnx import defs

    if domain not in ("", "ai.onnx") or not defs.has(kind):
        return False
    schema = defs.get_schema(kind)
    return bool(schema.has_function or schema.has_context_dependent_function)
