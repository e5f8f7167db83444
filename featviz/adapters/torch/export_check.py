"""Whether an export computes what the module computes: code may ask whether it is being exported, and do otherwise."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from featviz.adapters.torch.graph_export import Graph
from featviz.adapters.torch.module_runs import StoppedError, arrays_within, quiet, run_once
from featviz.adapters.torch.operators import draws_numbers
from featviz.tracing.marks import clean_name

if TYPE_CHECKING:
    import torch

# Relative to the largest value; both run in PyTorch, and differ in rounding alone.
TOLERANCE = 1e-3
# Values of each array that are compared, evenly from the first to the last.
COMPARED = 1024
# What a user is told, behind the network's name.
DIFFERENCE = (
    "computes something else when it is exported: from `{}` on the values are not its own, as where its code asks "
    "whether it is being traced"
)


def find_difference(module: "torch.nn.Module", graph: Graph, shape: Sequence[int]) -> str | None:
    """The first layer whose values in the export are not the module's own; None where all are, or cannot be compared.

    Args:
        module: The module, as it was exported.
        graph: Its graph.
        shape: That of the images.
    """
    import torch

    if any(draws_numbers(_operator(node), node.args, node.kwargs) for node in graph.module.graph.nodes):
        return None
    images = torch.rand(tuple(shape), generator=torch.Generator().manual_seed(0))
    try:
        with quiet():
            exported = _run_graph(module, graph, images)
    # What PyTorch cannot run of a graph that has been rewritten is not compared.
    except Exception:
        return None
    own: list[tuple[str, torch.Tensor]] = []

    def observe(path: str, output: Any) -> None:
        arrays = dict(arrays_within(output)) if path else {}
        own.extend((path if len(arrays) == 1 else f"{path}/{name}", _sample(array)) for name, array in arrays.items())

    # Where the graph ends early what the module has computed by then is compared.
    with suppress(StoppedError):
        run_once(module, images, observe=observe)
    for (name, theirs), (layer, node) in zip(own, graph.marks, strict=False):
        if clean_name(name) != layer or node.name not in exported:
            return None
        ours = exported[node.name]
        if ours.shape != theirs.shape or _differ(ours, theirs):
            return layer
    return None


def _run_graph(module: "torch.nn.Module", graph: Graph, images: "torch.Tensor") -> dict[str, "torch.Tensor"]:
    """Samples of the values of a graph's layers, as PyTorch computes them."""
    import torch

    wanted = {node.name for _, node in graph.marks}
    # A forward may write to its buffers.
    tensors = dict(module.named_parameters(remove_duplicate=False)) | {
        path: buffer.clone() for path, buffer in module.named_buffers(remove_duplicate=False)
    }
    found: dict[str, torch.Tensor] = {}

    class Sampled(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            value = super().run_node(n)
            if n.name in wanted and isinstance(value, torch.Tensor):
                found[n.name] = _sample(value)
            return value

    given = []
    for node in graph.module.graph.nodes:
        if node.op != "placeholder":
            continue
        if node is graph.image:
            given.append(images)
        elif node.name in graph.tensors:
            given.append(tensors[graph.tensors[node.name]])
        else:
            given.append(graph.constants[node.name].clone())
    Sampled(graph.module).run(*given)
    return found


def _sample(tensor: "torch.Tensor") -> "torch.Tensor":
    """Some of a tensor's values, as numbers with a fraction."""
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, len(flat) // COMPARED)].double()


def _differ(ours: "torch.Tensor", theirs: "torch.Tensor") -> bool:
    import torch

    finite = theirs[theirs.isfinite()]
    scale = float(finite.abs().max()) if len(finite) else 0.0
    return not torch.allclose(ours, theirs, rtol=0, atol=TOLERANCE * scale, equal_nan=True)


def _operator(node: "torch.fx.Node") -> str:
    return str(node.target).removeprefix("aten.").partition(".")[0]
