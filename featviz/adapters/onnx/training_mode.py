"""Dropouts of an ONNX file that are exported for training: they drop numbers there, and nothing here."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from featviz.adapters.onnx.model_file import Graph, Node

# The opset from which on a dropout drops nothing unless it is told to.
AT_INFERENCE = 7


def training_dropouts(graph: Graph, fixed: Mapping[str, Any]) -> list[str]:
    """The names of the dropouts that drop numbers when a runtime runs the file.

    Args:
        graph: The file's graph.
        fixed: The values of its inputs beside the image.
    """
    known = {**graph.constants, **fixed}
    return [node.name for node in graph.nodes if node.operator == "Dropout" and _drops(node, known, graph.opset)]


def _drops(node: Node, known: Mapping[str, Any], opset: int) -> bool:
    if opset < AT_INFERENCE:
        return not node.attributes.get("is_test", 0)
    ratio, training = (next(iter(node.inputs[index : index + 1]), "") for index in (1, 2))
    # What is computed within the network may be either.
    return bool(training and np.any(known.get(training, True)) and np.any(known.get(ratio, True)))
