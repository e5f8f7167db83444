"""Parts of a forward under `torch.no_grad`: as in PyTorch, no gradient goes through what they compute.

What is computed there is marked while the export runs (`no_grad_marks`). Afterwards the marks are taken out, and where
a value leaves such a part its gradient is stopped.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from featviz.adapters.torch.no_grad_marks import is_mark

if TYPE_CHECKING:
    from torch.fx import Graph, Node

# What a user is told, behind the network's name and before the line.
STOPPED = "computes under `torch.no_grad`: as in PyTorch, no gradient goes through what that part computes"
FOLLOWED = (
    "computes under `torch.no_grad` all that its output depends on; pictures follow the derivative of the forward"
)


def has_marks(graph: "Graph") -> bool:
    """Whether anything in a graph is computed under `no_grad`."""
    return any(map(is_mark, graph.nodes))


def stop_gradients(graph: "Graph", image: "Node", layers: Collection["Node"], end: "Node") -> str | None:
    """Takes the marks out of a graph, and stops the gradients of what leaves a part under `no_grad`.

    Where that would leave the network's end without any, as behind a backbone that is frozen so, none is stopped.

    Args:
        graph: The graph.
        image: The placeholder of the images.
        layers: The copies that stand for layers, which no operator takes.
        end: What the network returns.

    Returns:
        What is to be said of the network; None where no gradient is concerned.
    """
    import torch

    marks = [node for node in graph.nodes if is_mark(node)]
    copies = {node.args[0] if node in marks else node for node in layers}
    exits = list(_exits(graph, image, copies))
    said = None
    if exits:
        said = STOPPED
        if end in _differentiable(graph, image, ()) and end not in _differentiable(graph, image, exits):
            said, exits = FOLLOWED, []
        for source in dict.fromkeys(source for source, _ in exits):
            with graph.inserting_after(source):
                stopped = graph.call_function(torch.ops.aten.detach.default, (source,))
            stopped.meta = dict(source.meta)
            for each, user in exits:
                if each is source:
                    user.replace_input_with(source, stopped)
    for mark in marks:
        mark.replace_all_uses_with(mark.args[0])
        graph.erase_node(mark)
    return said


def _exits(graph: "Graph", image: "Node", copies: Collection[Any]) -> Iterator[tuple["Node", "Node"]]:
    """Each array of floats that depends on the images and is computed under `no_grad`, and its users outside."""
    within: set[Node] = set()
    for node in reversed(graph.nodes):
        users = [user for user in node.users if user.op != "output" and user not in copies]
        # What only serves such a part belongs to it, as the steps do that one of PyTorch's functions consists of.
        if is_mark(node) or (users and within.issuperset(users)):
            within.add(node)
    outside = {node for node in graph.nodes if node.op != "output" and node not in within and node not in copies}
    varying = _differentiable(graph, image, ())
    for node in graph.nodes:
        if node in within and node in varying and node is not image:
            yield from ((node, user) for user in node.users if user in outside)


def _differentiable(graph: "Graph", image: "Node", stops: Collection[tuple["Node", "Node"]]) -> set["Node"]:
    """The nodes to which the images have a gradient, but for that through pairs of a node and its user."""
    import torch

    stopped, found = set(stops), {image}
    for node in graph.nodes:
        is_open = any(each in found and (each, node) not in stopped for each in node.all_input_nodes)
        if is_open and node.target is not torch.ops.aten.detach.default and _has_floats(node.meta.get("val")):
            found.add(node)
    return found


def _has_floats(value: Any) -> bool:
    import torch

    if isinstance(value, list | tuple):
        return any(_has_floats(part) for part in value)
    return isinstance(value, torch.Tensor) and value.is_floating_point()
