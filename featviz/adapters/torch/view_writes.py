"""Writes to parts of an array, `y[:, 1:] = x`, as arrays in which that part is another one.

Where nothing else looks at the memory later, that is all there is to them. It takes no second export, which is slower
than the first.
"""

import itertools
from typing import TYPE_CHECKING, Any

from featviz.adapters.torch.in_place import shared_memory, writes

if TYPE_CHECKING:
    from torch.fx import Graph, Node


def replace_parts(graph: "Graph") -> None:
    """Replaces writes to slices and rows of an array, where no other view of it is read later.

    The others are left as they are.
    """
    replaced, found = False, list(writes(graph))
    targets = dict(found)
    for node, target in found:
        chain, function = _chain(target), _functional(node)
        if chain is None or len(chain) == 1 or function is None:
            continue
        order = {each: index for index, each in enumerate(graph.nodes)}
        base = chain[0]
        memory = shared_memory(graph)[base]
        before = [other for other in memory if other is not base and order[other] < order[node]]
        # What it returns is one more view, which nothing may look through behind the next write.
        later_writes = [order[other] for other, its in found if its in memory and order[other] > order[node]]
        last = min(later_writes, default=len(order))
        # `y[part] += x` assigns the result once more.
        views = [user for user in node.users if user in memory and targets.get(user, node) is node]
        if views or any(order[user] > last for user in node.users):
            continue
        if any(order[user] > order[node] for view in before for user in view.users):
            continue
        later = [user for user in base.users if order[user] > order[node]]
        node.target, value, replaced = function, node, True
        for whole, part in reversed(list(itertools.pairwise(chain))):
            value = _with_part(graph, value, whole, part)
        for user in later:
            user.replace_input_with(base, value)
    if replaced and graph.owning_module is not None:
        graph.owning_module.recompile()


def _chain(target: "Node | None") -> "list[Node] | None":
    """An array and its parts, of which each is a slice or a row of the one before; the last is the target."""
    import torch

    if target is None:
        return None
    chain = [target]
    while chain[0].target in (torch.ops.aten.slice.Tensor, torch.ops.aten.select.int):
        whole: Any = chain[0].args[0]
        chain.insert(0, whole)
    return chain


def _functional(node: "Node") -> Any:
    """The operator that returns what one in place writes, None where there is none of the same arguments."""
    import torch

    name, _, overload = str(node.target).removeprefix("aten.").partition(".")
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None)
    function = getattr(packet, overload, None) if name.endswith("_") and not name.endswith("__") else None
    return function if function is not None and not function._schema.is_mutable else None


def _with_part(graph: "Graph", value: "Node", whole: "Node", part: "Node") -> "Node":
    """A node of the whole with a value in place of a part."""
    import torch

    row = part.target is torch.ops.aten.select.int
    operator = torch.ops.aten.select_scatter.default if row else torch.ops.aten.slice_scatter.default
    with graph.inserting_after(value):
        made = graph.call_function(operator, (whole, value, *part.args[1:]), dict(part.kwargs))
    made.meta = {**value.meta, "val": whole.meta.get("val")}
    return made
