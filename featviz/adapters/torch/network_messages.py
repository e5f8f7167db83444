"""What a user is told of a PyTorch network when it is adapted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from featviz.adapters.torch.export_check import DIFFERENCE
from featviz.adapters.torch.gradient_hooks import hooked_modules
from featviz.adapters.torch.interpreter import GraphError, node_module
from featviz.adapters.torch.module_runs import reason, source_line
from featviz.adapters.torch.operators import draws_numbers

if TYPE_CHECKING:
    from featviz.adapters.torch.exported_network import ExportedNetwork


def messages(network: "ExportedNetwork") -> Iterator[str]:
    """What is said of a network: where it ends early, whose backward is not used, what in it is random."""
    if network.own_backwards:
        yield (
            f"{network.name} has a backward of its own in {', '.join(sorted(network.own_backwards))}, which is not the "
            "derivative of the forward; pictures follow the derivative of the forward"
        )
    if network.observed:
        yield (
            f"{network.name} observes ranges for quantization when it runs; here they are held as they are, as "
            "`torch.ao.quantization.disable_observer` does"
        )
    hooked = sorted({*hooked_modules(network.module), *network.hooked})
    if hooked:
        yield (
            f"{network.name} has hooks on gradients, of {', '.join(hooked)}, which are not called; pictures follow the "
            "derivative of the forward"
        )
    graph = network.first
    for said in (network.differing and DIFFERENCE.format(network.differing), graph.under_no_grad):
        if said is not None:
            yield f"{network.name} {said}"
    if not graph.marks and any(True for _ in network.module.children()):
        yield (
            f"{network.name} calls none of the modules within, so that these are no layers: its `forward` may be a "
            "function that holds another module"
        )
    if graph.failure is not None and graph.runs and graph.marks:
        # The message of a node says where it is.
        line = "" if isinstance(graph.failure, GraphError) else f", at {source_line(graph.failure)}"
        end = f"ends behind `{graph.marks[-1][0]}`" if graph.output is None else "lacks some layers"
        yield (
            f"{network.name} {end}{line}: what follows depends on values or cannot be exported "
            f"({reason(graph.failure)})"
        )
    for node in graph.module.graph.nodes:
        operator = str(node.target).removeprefix("aten.").partition(".")[0]
        if draws_numbers(operator, node.args, node.kwargs):
            yield (
                f"{network.name} draws random numbers at inference (`{operator}` in "
                f"`{node_module(node)[0] or network.name}`); they are drawn once, the same in each run"
            )
            break
