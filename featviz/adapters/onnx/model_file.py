"""An ONNX file, read and checked: its nodes, its weights, its constants, and the names of its values."""

import ast
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.adapters.fixed_inputs import Fixed, check_fixed, image_input, split_weights
from featviz.adapters.onnx.operators import OPERATORS
from featviz.adapters.onnx.operators.quantization import dequantize
from featviz.adapters.onnx.output_shapes import check, in_order, with_output_shapes
from featviz.adapters.onnx.protos import array_of, constant_of, operator_of, used_names, value_of
from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    import onnx

# The key of the modules that a node lies in, outermost first: "['', 'layer1', 'layer1.0', 'conv2d']".
SCOPES = "pkg.torch.onnx.name_scopes"
# Inputs that must be known while a network is traced.
STATIC = {
    "AffineGrid": (1,), "Clip": (1, 2), "Col2Im": (1, 2), "ConstantOfShape": (0,), "DFT": (1, 2), "Dropout": (1, 2),
    "Expand": (1,), "MaxUnpool": (2,), "Pad": (1, 2, 3), "Pow": (1,), "Range": (0, 1, 2), "Reshape": (1,),
    "Resize": (1, 2, 3), "Slice": (1, 2, 3, 4), "Tile": (1,), "TopK": (1,), "Upsample": (1,),
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One node: its name, as Netron shows it, its operator with its domain, and its attributes as Python values."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: "onnx.NodeProto"


@dataclass(frozen=True)
class Graph:
    """The nodes that the outputs need, in order; `names` are the names of the values that are layers."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]
    opset: int
    names: Mapping[str, str]


@dataclass(frozen=True)
class OnnxFile:
    """A network's graph, its weights and its image input.

    Attributes:
        graph: The graph.
        weights: The floating initializers by name.
        image: The name of the image input.
        integer_image: Whether the image is of integers.
        shape: The declared shape of the image, None where an axis is free.
        fixed: The values of the other inputs that are constants.
        fixed_shapes: The declared shapes of the other inputs.
    """

    graph: Graph
    weights: Mapping[str, np.ndarray]
    image: str
    integer_image: bool
    shape: tuple[int | None, ...]
    fixed: Mapping[str, np.ndarray]
    fixed_shapes: Mapping[str, tuple[int | None, ...] | None]


def read_onnx(model: "str | os.PathLike[str] | onnx.ModelProto", what: str, *, fixed: Fixed | None = None) -> OnnxFile:
    """The network of a ModelProto, or of the file at a path and the external data beside it.

    Args:
        model: The proto or the path.
        what: What messages call it.
        fixed: Arrays for all inputs but the image.

    Raises:
        FeatvizError: If it cannot be read, is not valid ONNX, or takes other inputs beside the image and `fixed`.
    """
    import onnx
    from onnx.inliner import inline_local_functions

    proto = _load(model, what)
    try:
        proto = with_output_shapes(in_order(proto))
        check(proto)
        proto = inline_local_functions(proto)
        names = output_names(proto.graph)
        proto = _inline_missing_operators(proto)
        opset = max((opset.version for opset in proto.opset_import if opset.domain in ("", "ai.onnx")), default=1)
        constants = {tensor.name: array_of(tensor) for tensor in proto.graph.initializer}
        graph = _dequantize_weights(parse_graph(proto.graph, constants, opset, names))
    except FeatvizError:
        raise
    # The checker, protobuf and NumPy each raise their own exceptions.
    except Exception as error:
        raise FeatvizError(f"{what} is not valid ONNX: {in_one_line(error)}") from None
    inputs = {value.name: value.type.tensor_type for value in proto.graph.input if value.name not in constants}
    shapes = {name: _declared_shape(declared) for name, declared in inputs.items()}
    image = image_input(what, shapes, fixed)
    given = check_fixed(what, shapes, fixed)
    floating = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
    static = _static_values(graph.nodes)
    weights = {name: array for name, array in graph.constants.items() if name not in static and _is_weight(array)}
    constants = {name: array for name, array in graph.constants.items() if name not in weights}
    added, known = split_weights({name: array for name, array in given.items() if name not in static})
    return OnnxFile(
        graph=replace(graph, constants=constants),
        weights={**weights, **added},
        image=image,
        integer_image=inputs[image].elem_type not in floating,
        shape=shapes[image] or (),
        fixed={**known, **{name: array for name, array in given.items() if name in static}},
        fixed_shapes={name: shapes[name] for name in given},
    )


def _is_weight(array: np.ndarray) -> bool:
    """Whether a constant is a weight: floats, or the 8-bit integers of a quantized kernel or matrix."""
    quantized = array.dtype in (np.int8, np.uint8) and array.ndim > 1
    return quantized or (np.issubdtype(array.dtype, np.floating) and array.ndim > 0)


def _declared_shape(declared: "onnx.TypeProto.Tensor") -> tuple[int | None, ...] | None:
    """The sizes of an input, None where one is free; None where its rank is too."""
    if not declared.HasField("shape"):
        return None
    return tuple(dim.dim_value or None for dim in declared.shape.dim)


def parse_graph(
    proto: "onnx.GraphProto", constants: Mapping[str, np.ndarray], opset: int, names: Mapping[str, str]
) -> Graph:
    """The nodes that a graph's outputs need, and its constants: initializers and `Constant` nodes."""
    known = dict(constants)
    outputs = tuple(value.name for value in proto.output)
    needed, nodes = set(outputs), []
    for node in reversed(proto.node):
        if needed.isdisjoint(node.output):
            continue
        if node.op_type == "Constant":
            known[node.output[0]] = constant_of(node)
            continue
        subgraphs = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
        needed.update(node.input, *(name for graph in subgraphs for name in used_names(graph)))
        nodes.append(
            Node(
                node.name.strip("/") or node.output[0],
                operator_of(node),
                tuple(node.input),
                tuple(node.output),
                {attribute.name: value_of(attribute) for attribute in node.attribute},
                node,
            )
        )
    return Graph(tuple(reversed(nodes)), {name: known[name] for name in known if name in needed}, outputs, opset, names)


def _dequantize_weights(graph: Graph) -> Graph:
    """The graph with each dequantized constant as the floats that it stands for: these are the network's weights."""
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        if node.operator.removeprefix("com.microsoft.") != "DequantizeLinear" or not all(
            name in constants for name in node.inputs if name
        ):
            nodes.append(node)
            continue
        x, scale, *zeros = (constants[name] if name else None for name in node.inputs)
        along = {"axis": node.attributes.get("axis", 1), "block": node.attributes.get("block_size", 0)}
        constants[node.outputs[0]] = dequantize(x, scale, zeros[0] if zeros else None, **along)
    used = {name for node in nodes for name in node.inputs} | set(graph.outputs)
    inner = [attribute.g for node in nodes for attribute in node.proto.attribute if attribute.HasField("g")]
    used = used.union(*map(used_names, inner))
    constants = {name: array for name, array in constants.items() if name in used}
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _static_values(nodes: Sequence[Node]) -> set[str]:
    """The names of the values that must be known while a network is traced, and of those they are computed from."""
    static: set[str] = set()
    for node in reversed(nodes):
        if not static.isdisjoint(node.outputs) and node.operator not in ("Shape", "Size"):
            static.update(node.inputs)
        static.update(name for index in STATIC.get(node.operator, ()) for name in node.inputs[index : index + 1])
    return static


def _load(model: "str | os.PathLike[str] | onnx.ModelProto", what: str) -> "onnx.ModelProto":
    import onnx
    from google.protobuf.message import DecodeError

    if isinstance(model, onnx.ModelProto):
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
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


def _inline_missing_operators(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """The network with the operators that featviz lacks replaced by the standard's definitions in terms of others."""
    from onnx import helper, shape_inference
    from onnx.inliner import inline_selected_functions

    # A range is folded; its definition is a loop.
    known_operators = {*OPERATORS, "Range"}
    unknown = {(node.domain, node.op_type) for node in proto.graph.node if operator_of(node) not in known_operators}
    defined = sorted((domain, kind) for domain, kind in unknown if _has_definition(domain, kind))
    if not defined:
        return proto
    for node in proto.graph.node:
        if (node.domain, node.op_type) in defined:
            _write_defaults(node)
            # The definition of one that has an input left out, as where a function passes on what it was not given.
            while node.input and not node.input[-1]:
                node.input.pop()
    # Some definitions depend on their inputs' types.
    proto = shape_inference.infer_shapes(proto)
    known = {value.name for value in (*proto.graph.value_info, *proto.graph.input)}
    proto.graph.value_info.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in proto.graph.initializer
        if tensor.name not in known
    )
    return inline_selected_functions(proto, defined, inline_schema_functions=True)


def _write_defaults(node: "onnx.NodeProto") -> None:
    """Gives a node the attributes that it leaves to the standard: a definition put in its place lacks them."""
    from onnx import AttributeProto, defs

    given = {attribute.name for attribute in node.attribute}
    for name, attribute in defs.get_schema(node.op_type).attributes.items():
        if name not in given and attribute.default_value.type != AttributeProto.UNDEFINED:
            node.attribute.append(attribute.default_value)


def output_names(proto: "onnx.GraphProto") -> dict[str, str]:
    """The layer name of each node's output: the node's, or the output's own where the node has none."""
    return {
        output: (_scoped_name(node) or node.name.strip("/") or output.strip("/")) + (f"[{index}]" if index else "")
        for node in proto.node
        for index, output in enumerate(node.output)
        if output
    }


def _scoped_name(node: "onnx.NodeProto") -> str:
    """The name by the modules that a node lies in, as PyTorch's newer exporter records them; "" without a record.

    That exporter's own names are `node_conv2d_5`; by its scopes a node is `layer1.0/conv1/Conv`, as the older one has
    it.
    """
    record = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "")
    try:
        scopes = ast.literal_eval(record) if record else []
    except (SyntaxError, ValueError):
        return ""
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        return ""
    # The last entry is the operation, of a name that is as little known.
    parts: list[str] = []
    for outer, scope in pairwise(["", *(scope for scope in scopes[:-1] if scope)]):
        parts.append(scope.removeprefix(f"{outer}.") if outer else scope)
    return "/".join([*parts, node.op_type]) if scopes else ""


def _has_definition(domain: str, kind: str) -> bool:
    from onnx import defs

    if domain not in ("", "ai.onnx") or not defs.has(kind):
        return False
    schema = defs.get_schema(kind)
    return bool(schema.has_function or schema.has_context_dependent_function)
