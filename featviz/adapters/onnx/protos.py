"""The contents of an ONNX file's nodes and tensors, as Python values and arrays."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import onnx


def operator_of(node: "onnx.NodeProto") -> str:
    """The operator of a node, with its domain if it is not the standard's."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def array_of(tensor: "onnx.TensorProto") -> np.ndarray:
    """A tensor as an array, floating ones in single precision."""
    from onnx import numpy_helper

    array = numpy_helper.to_array(tensor)
    # Half and double precision run in single; NumPy does not count bfloat16 among its floating types.
    convert = array.dtype.name in ("float16", "bfloat16", "float64")
    return array.astype(np.float32) if convert else array


def constant_of(node: "onnx.NodeProto") -> np.ndarray:
    """The value of a `Constant` node."""
    (attribute,) = [attribute for attribute in node.attribute if attribute.name != "name"]
    if attribute.name == "value":
        return array_of(attribute.t)
    types = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if attribute.name not in types:
        raise FeatvizError(f"the Constant `{node.output[0]}` holds `{attribute.name}`; expected numbers")
    return np.asarray(value_of(attribute), types[attribute.name])


def value_of(attribute: "onnx.AttributeProto") -> Any:
    """An attribute as a Python value; a tensor as an array, a graph as it is."""
    from onnx import helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if attribute.HasField("t"):
        return array_of(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in value]
    return value


def used_names(graph: "onnx.GraphProto") -> set[str]:
    """The names that a node's subgraph uses, those that it defines among them."""
    names = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    return names.union(*(used_names(attribute.g) for attribute in attributes if attribute.HasField("g")))
