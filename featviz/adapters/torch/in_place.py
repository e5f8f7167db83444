"""Operations in place of an exported graph, made functional where that only takes another name for their result."""

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import Graph, Node

# Composite operators that declare no alias and always return new memory; others of that kind may return their input, as
# dropout does at inference.
COMPUTING = frozenset({
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "avg_pool1d",
    "batch_norm", "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "cosine_similarity", "group_norm", "instance_norm", "layer_norm", "linear", "log_softmax",
    "max_pool1d", "max_pool2d", "max_pool3d", "matmul", "mish", "multi_head_attention", "relu6", "rms_norm",
    "scaled_dot_product_attention", "selu", "silu", "softmax", "upsample_bicubic2d", "upsample_bilinear2d",
    "upsample_nearest2d",
})  # fmt: skip


def rename_results(graph: "Graph") -> bool:
    """Replaces every later use of a tensor that is written to in place by the result of the writing operation.

    That is all there is to `relu_` and `add_` in most networks. It takes no second export, which resolves views.

    Returns:
        Whether the graph is functional now; if not, since something reads the same memory through another view later,
        the graph is left as it is.
    """
    found = list(writes(graph))
    if not found:
        return True
    if any(target is None for _, target in found):
        return False
    order = {node: index for index, node in enumerate(graph.nodes)}
    memory = shared_memory(graph)
    same: dict[Node, list[Node]] = {}
    for node, target in found:
        assert target is not None
        names = same.setdefault(target, [target])
        names.append(node)
        same[node] = names
        views = [view for view in memory[target] if view not in names and order[view] < order[node]]
        if any(order[user] > order[node] for view in views for user in view.users):
            return False
    for node, target in found:
        assert target is not None
        for name in same[target][: same[target].index(node)]:
            for user in [user for user in name.users if order[user] > order[node]]:
                user.replace_input_with(name, node)
    return True


def writes(graph: "Graph") -> Iterator[tuple["Node", "Node | None"]]:
    """Each node that writes in place, and what it writes to; None where that is not one tensor."""
    from torch._ops import HigherOrderOperator, OpOverload
    from torch.fx import GraphModule, Node

    for node in graph.nodes:
        if isinstance(node.target, HigherOrderOperator):
            for argument in node.args:
                body = (
                    getattr(graph.owning_module, str(argument.target))
                    if isinstance(argument, Node) and argument.op == "get_attr"
                    else None
                )
                if isinstance(body, GraphModule) and any(True for _ in writes(body.graph)):
                    yield node, None
        elif isinstance(node.target, OpOverload) and node.target._schema.is_mutable:
            written = [
                _argument(node, index, argument.name)
                for index, argument in enumerate(node.target._schema.arguments)
                if argument.alias_info is not None and argument.alias_info.is_write
            ]
            (target, *more) = written or [None]
            yield node, target if isinstance(target, Node) and not more else None


def _argument(node: "Node", index: int, name: str) -> Any:
    return node.args[index] if index < len(node.args) else node.kwargs.get(name)


def shared_memory(graph: "Graph") -> dict["Node", list["Node"]]:
    """For each node, all nodes that may share its memory."""
    groups: dict[Node, list[Node]] = {node: [node] for node in graph.nodes}
    for node in graph.nodes:
        for source in _sources(node):
            if groups[source] is not groups[node]:
                groups[source].extend(groups[node])
                for member in groups[node]:
                    groups[member] = groups[source]
    return groups


def _sources(node: "Node") -> list["Node"]:
    """The inputs whose memory a node may share."""
    from torch._C import DispatchKey
    from torch._ops import HigherOrderOperator, OpOverload
    from torch.fx import Node

    if node.target is operator.getitem or isinstance(node.target, HigherOrderOperator):
        return node.all_input_nodes
    if not isinstance(node.target, OpOverload):
        return []
    schema = node.target._schema
    declared = [
        _argument(node, index, argument.name)
        for index, argument in enumerate(schema.arguments)
        if argument.alias_info is not None
    ]
    if declared:
        return [source for source in declared if isinstance(source, Node)]
    composite = node.target.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd)
    return node.all_input_nodes if composite and schema.name.removeprefix("aten::") not in COMPUTING else []
