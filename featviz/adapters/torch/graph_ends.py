"""Where a graph ends: at operators that featviz lacks or that fail, behind which nothing can be computed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from featviz.adapters.torch.graph_export import Graph
from featviz.adapters.torch.interpreter import GraphError, explain_node, missing_operators

if TYPE_CHECKING:
    from torch.fx import Node


def without_missing(graph: Graph) -> Graph:
    """The graph up to the operators that featviz lacks; itself where it lacks none that is needed."""
    missing = missing_operators(graph.module, graph.wanted)
    return without_nodes(
        graph,
        {node: GraphError(explain_node(node, "featviz has no such operator"), {}, node) for node in missing},
    )


def without_nodes(graph: Graph, failures: Mapping["Node", Exception]) -> Graph:
    """The graph without some nodes and all that needs them.

    Args:
        graph: The graph.
        failures: The nodes, each with why it cannot run.
    """
    lost = dict(failures)
    for node in graph.module.graph.nodes:
        before = next((other for other in node.all_input_nodes if other in lost), None)
        if before is not None and node not in lost:
            lost[node] = lost[before]
    reasons = [lost[node] for node in graph.wanted if node in lost]
    if not reasons:
        return graph
    marks = [(layer, node) for layer, node in graph.marks if node not in lost]
    return replace(graph, marks=marks, output=None if graph.output in lost else graph.output, failure=reasons[0])
