"""What stands in an ONNX file's nodes and tensors, as Python values and arrays."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from featviz.errors import FeatvizError


def operator_of(node: Any) -> str:
    """The operator of a node, with its domain if it is not the standard's own."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def array_of(tensor: Any) -> np.ndarray:
    """A tensor as an array, floating ones in single precision."""
    from onnx import numpy_helper

    array = numpy_helper.to_array(tensor)
    # Half precision runs in single, and so does double; bfloat16 is no floating type of numpy's own.
    small = array.dtype.name in ("float16", "bfloat16", "float64")
    return array.astype(np.float32) if small else array


def constant_of(node: Any) -> np.ndarray:
    """What a `Constant` holds."""
    (attribute,) = [each for each in node.attribute if each.name != "name"]
    if attribute.name == "value":
        return array_of(attribute.t)
    types = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if attribute.name not in types:
        raise FeatvizError(f"the Constant `{node.output[0]}` holds `{attribute.name}`; expected numbers")
    return np.asarray(value_of(attribute), types[attribute.name])


def value_of(attribute: Any) -> Any:
    """An attribute as a Python value; a tensor as an array, a graph as it is."""
    from onnx import helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if attribute.HasField("t"):
        return array_of(value)
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def borrowed(graph: Any) -> set[str]:
    """The names that a graph within a node uses; those that are its own do no harm."""
    names = {name for node in graph.node for name in node.input} | {each.name for each in graph.output}
    return names.union(*(borrowed(each.g) for node in graph.node for each in node.attribute if each.HasField("g")))
