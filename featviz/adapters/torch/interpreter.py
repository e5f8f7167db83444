"""Runs a graph of ATen operators, as torch.export gives it, on JAX's arrays."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.adapters.adapter_errors import ModuleError
from featviz.adapters.torch.operators import find_operator, takes_draw
from featviz.errors import FeatvizError, in_one_line
from featviz.tracing.marks import module_scope

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule, Node

# Arguments that say where and how PyTorch keeps an array, which JAX decides itself.
KEEPING = frozenset(
    {
        "device",
        "layout",
        "pin_memory",
        "memory_format",
        "non_blocking",
        "requires_grad",
        "generator",
        "copy",
        "out",
        "implicit",
    }
)
# Operators whose results are sizes.
SIZES = {
    "sym_size": lambda x, axis=None: x.shape if axis is None else x.shape[axis],
    "sym_numel": lambda x: x.size,
    "sym_stride": lambda x, axis: int(np.prod(x.shape[axis % x.ndim + 1 :])),
    "sym_storage_offset": lambda x: 0,
}


def to_array(tensor: "torch.Tensor", *, copy: bool = True) -> np.ndarray:
    """A tensor's values in JAX's own types: single precision, 32-bit integers; without `copy` in its own memory."""
    return np.array(_to_numpy(tensor.detach().cpu()), copy=copy or None)


def _to_numpy(tensor: "torch.Tensor") -> np.ndarray:
    import torch

    if tensor.is_complex():
        return tensor.to(torch.complex64).resolve_conj().numpy()
    if tensor.is_floating_point():
        return tensor.float().numpy()
    return tensor.numpy().astype(np.int32) if tensor.dtype == torch.int64 else tensor.numpy()


def array_dtype(dtype: "torch.dtype") -> np.dtype:
    """The type of JAX's arrays that stands for a type of PyTorch's.

    Every floating type becomes single precision, as weights do.
    """
    import torch

    if dtype.is_complex:
        return np.dtype(np.complex64)
    if dtype.is_floating_point:
        return np.dtype(np.float32)
    return np.dtype({torch.bool: "bool", torch.int64: "int32"}.get(dtype, str(dtype).removeprefix("torch.")))


def run_graph(
    graph: "GraphModule", inputs: Mapping[str, Any], wanted: Iterable["Node"], *, first_draw: int = 0
) -> dict[str, Any]:
    """The values of a graph's nodes, by name.

    Args:
        graph: The graph, functional.
        inputs: The values of its placeholders.
        wanted: The nodes whose values are needed; no others run than these and what they need.
        first_draw: How many operators that may draw random numbers come before this graph.

    Raises:
        GraphError: If an operator is missing or fails.
    """
    needed = _needed(wanted)
    values = dict(inputs)
    draw = first_draw
    for node in graph.graph.nodes:
        if node in needed and node.name not in values:
            try:
                values[node.name] = _run_node(graph, node, values, draw)
            except FeatvizError:
                raise
            # Shapes that do not fit and operators that are missing: anything may be raised here.
            except Exception as error:
                raise GraphError(explain_node(node, in_one_line(error)), values, node) from error
        # Those that do not run count as well, so that a layer alone draws what it draws among all.
        draw += _count_draws(graph, node)
    return values


def _count_draws(graph: "GraphModule", node: "Node") -> int:
    """How many operators that may draw random numbers a node holds."""
    from torch.fx import GraphModule, Node

    if node.op != "call_function":
        return 0
    function = _function(node.target)
    if function is not None:
        return int(takes_draw(function))
    bodies = [getattr(graph, str(arg.target)) for arg in node.args if isinstance(arg, Node) and arg.op == "get_attr"]
    return sum(
        _count_draws(body, part) for body in bodies if isinstance(body, GraphModule) for part in body.graph.nodes
    )


class GraphError(ModuleError):
    """A graph that fails at some node.

    Attributes:
        values: The values of the nodes before it, by name.
        node: The node.
    """

    def __init__(self, message: str, values: dict[str, Any], node: "Node") -> None:
        super().__init__(message)
        self.values = values
        self.node = node


def missing_operators(graph: "GraphModule", wanted: Iterable["Node"]) -> list["Node"]:
    """The nodes of a graph whose operators have no function here."""
    from torch._ops import OpOverload

    return [node for node in _needed(wanted) if isinstance(node.target, OpOverload) and _function(node.target) is None]


def explain_node(node: "Node", reason: str) -> str:
    """The message for a node that cannot run: the module, the operator, the user's line."""
    path, kind = node_module(node)
    location = f"in `{path}`, a {kind}: " if path else ""
    return f"{location}PyTorch's operator {node.target}{_source_line(node)}: {reason}"


def node_module(node: "Node") -> tuple[str, str]:
    """The path of the module that a node is computed in, and the name of its class; two empty texts for none."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    if not stack or not isinstance(stack[-1], tuple):
        return "", ""
    path, kind = stack[-1][:2]
    kind = kind if isinstance(kind, str) else kind.__name__
    return clean_path(path), kind.rpartition(".")[2]


def clean_path(path: str) -> str:
    """A module's path without what the export adds: the wrapper around the network, `@1` for a second call.

    >>> clean_path("network.layer1.0.relu@1"), clean_path("L['self'].network")
    ('layer1.0.relu', '')
    """
    path = re.sub(r"@\d+", "", path.removeprefix("L['self']").removeprefix("."))
    return path.removeprefix("network").removeprefix(".")


def _needed(wanted: Iterable["Node"]) -> set["Node"]:
    needed: set[Node] = set()
    waiting = list(wanted)
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting.extend(node.all_input_nodes)
    return needed


def _function(target: Any) -> Any:
    namespace, _, name = str(target).partition(".")
    if namespace not in ("aten", "prims", "torchvision"):
        return None
    return SIZES.get(name.partition(".")[0]) or find_operator(name)


def _run_node(graph: "GraphModule", node: "Node", values: Mapping[str, Any], draw: int) -> Any:
    if node.op == "get_attr":
        return _attribute(graph, str(node.target))
    if node.op == "placeholder":
        # An object that PyTorch keeps a state in, such as a generator of random numbers.
        return None
    if node.op != "call_function":
        raise NotImplementedError(f"a node of kind {node.op}")
    from torch._ops import HigherOrderOperator, OpOverload

    args = [_read(arg, values) for arg in node.args]
    target: Any = node.target
    if isinstance(target, HigherOrderOperator):
        return _run_region(target, args, draw)
    if not isinstance(target, OpOverload):
        # Arithmetic of sizes.
        return target(*args, **{name: _read(arg, values) for name, arg in node.kwargs.items()})
    function = _function(target)
    if function is None:
        raise NotImplementedError("featviz has no such operator; expected another in its place")
    kwargs = {name: _read(arg, values) for name, arg in node.kwargs.items() if name not in KEEPING}
    if takes_draw(function):
        kwargs["draw"] = draw
    if str(target).startswith("aten.as_strided"):
        args[0] = _in_memory_order(args[0], node.all_input_nodes[0].meta.get("val"))
    with module_scope(node_module(node)[0], opaque=True):
        return _as_declared(function(*args, **kwargs), node.meta.get("val"))


def _in_memory_order(x: jax.Array, declared: Any) -> jax.Array:
    """An array with its axes as PyTorch's memory has them.

    Raises:
        NotImplementedError: If the memory holds other values between those of the array.
    """
    strides = declared.stride()
    order = sorted(range(x.ndim), key=lambda axis: -strides[axis])
    moved = jnp.transpose(x, order)
    expected = [int(np.prod(moved.shape[axis + 1 :])) for axis in range(x.ndim)]
    if any(strides[axis] != step for axis, step in zip(order, expected, strict=True) if x.shape[axis] > 1):
        raise NotImplementedError("as_strided of an array that is part of another in memory")
    return moved


def _run_region(operator: Any, args: list[Any], draw: int) -> Any:
    """A part under `no_grad` or `autocast`, which JAX runs like any other."""
    from torch.fx import GraphModule

    if not str(operator.name()).startswith("wrap_with"):
        raise NotImplementedError("control flow that depends on values")
    index, body = next((index, arg) for index, arg in enumerate(args) if isinstance(arg, GraphModule))
    names = [node.name for node in body.graph.nodes if node.op == "placeholder"]
    (output,) = (node for node in body.graph.nodes if node.op == "output")
    inputs = dict(zip(names, args[index + 1 :], strict=True))
    values = run_graph(body, inputs, output.all_input_nodes, first_draw=draw)
    return _read(output.args[0], values)


def _attribute(graph: "GraphModule", path: str) -> Any:
    import torch

    value: Any = graph
    for part in path.split("."):
        value = getattr(value, part)
    return jnp.asarray(to_array(value)) if isinstance(value, torch.Tensor) else value


def _read(arg: Any, values: Mapping[str, Any]) -> Any:
    """An argument of a node as a value."""
    import torch
    from torch.fx import Node

    if isinstance(arg, Node):
        return values[arg.name]
    if isinstance(arg, list | tuple):
        return [_read(part, values) for part in arg]
    if isinstance(arg, torch.dtype):
        return array_dtype(arg)
    if isinstance(arg, torch.device | torch.layout | torch.memory_format):
        return None
    return arg


def _as_declared(result: Any, declared: Any) -> Any:
    """Results in the types that PyTorch declares for them."""
    import torch

    if isinstance(result, list | tuple) and isinstance(declared, list | tuple):
        return [
            _as_declared(part, declared[index] if index < len(declared) else None) for index, part in enumerate(result)
        ]
    if isinstance(result, jax.Array) and isinstance(declared, torch.Tensor):
        kind = array_dtype(declared.dtype)
        return result if result.dtype == kind else result.astype(kind)
    return result


def _source_line(node: "Node") -> str:
    lines = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    return f" ({lines[-1][0]}:{lines[-1][1]})" if lines else ""
