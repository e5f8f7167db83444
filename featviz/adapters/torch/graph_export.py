"""torch.export: a module becomes a functional graph of ATen operators, with the outputs of all its modules."""

import dataclasses
import io
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

from featviz.adapters.adapter_errors import ModuleError
from featviz.adapters.torch.calls_as_run import calls_as_run
from featviz.adapters.torch.gradient_hooks import passive_hooks
from featviz.adapters.torch.in_place import rename_results
from featviz.adapters.torch.interpreter import missing_operators
from featviz.adapters.torch.known_values import discrete_buffers, values_known
from featviz.adapters.torch.module_runs import Nothing, StoppedError, arrays_within, quiet, watched
from featviz.adapters.torch.no_grad_marks import marked_parts
from featviz.adapters.torch.no_grad_parts import has_marks, stop_gradients
from featviz.adapters.torch.view_writes import replace_parts
from featviz.tracing.marks import clean_name

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule, Node

# Exporting changes settings of the whole process for a moment.
LOCK = threading.RLock()


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """A module's graph.

    Attributes:
        module: The graph.
        image: The placeholder of the images.
        tensors: The path in the module of each placeholder that stands for a parameter or a buffer.
        constants: The tensors of the other placeholders, wherever the module kept them.
        marks: What the modules within return, by layer in the order of the calls.
        output: What the module returns first; None where the graph ends early.
        failure: Why it ends early.
        runs: Whether the module itself runs on such images; if it does, it is the export that ends early.
        as_called: Whether its operators are those that the module calls, and not parts of them, in which sizes stand.
        under_no_grad: What is to be said of parts under `torch.no_grad`; None where no gradient is concerned.
    """

    module: "GraphModule"
    image: "Node"
    tensors: Mapping[str, str]
    constants: Mapping[str, "torch.Tensor"]
    marks: Sequence[tuple[str, "Node"]]
    output: "Node | None"
    failure: Exception | None = None
    runs: bool = True
    as_called: bool = True
    under_no_grad: str | None = None

    @property
    def wanted(self) -> list["Node"]:
        """The nodes whose values are layers or the output."""
        return [node for _, node in self.marks] + ([] if self.output is None else [self.output])

    @property
    def last_layer(self) -> "Node":
        """The last value of a layer that depends on the images, or the last of all."""
        later = {self.image}
        for node in self.module.graph.nodes:
            if not later.isdisjoint(node.all_input_nodes):
                later.add(node)
        return next((node for _, node in reversed(self.marks) if node in later), self.marks[-1][1])

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether the graph is that of images of this shape too: whether all that was decided on sizes holds there."""
        import sympy

        declared = self.image.meta["val"]
        symbols: dict[Any, int] = {}
        for index, (dim, size) in enumerate(zip(declared.shape, shape, strict=True)):
            expression = dim if isinstance(dim, int) else dim.node.expr
            if isinstance(expression, sympy.Symbol):
                # A graph for any number of images serves one as well: PyTorch would only decide anew what is one
                # element.
                symbols[expression] = max(2, size) if index == 0 else size
            elif expression != size:
                return False
        if not symbols:
            return True
        shapes = declared.fake_mode.shape_env
        ranges = [(shapes.var_to_range[symbol], size) for symbol, size in symbols.items()]
        if not all(bool(known.lower <= size) and bool(size <= known.upper) for known, size in ranges):
            return False
        # Decisions about sizes that are not the images' have no value here.
        return all(guard.expr.xreplace(symbols) != sympy.false for guard in shapes.guards)


def export_graph(
    module: "torch.nn.Module", images: "torch.Tensor", *, dynamic: Sequence[int] = (), last: int | None = None
) -> Graph:
    """The graph of a module on images of one shape.

    Args:
        module: The module. What it keeps of the run is worthless afterwards.
        images: Images.
        dynamic: The axes whose sizes may differ, where the module does not decide otherwise.
        last: How many calls of modules within the graph holds; by default it is complete.

    Raises:
        StoppedError: If the module cannot be exported.
    """
    import torch

    marked: list[tuple[str, torch.Tensor]] = []
    # The calls that have returned; the lists below are emptied when the export runs the module again.
    calls: list[str] = []
    ended: list[Exception] = []
    # The export takes their values away.
    buffers = discrete_buffers(module)

    def record(path: str, output: Any) -> Any:
        if ended:
            return None
        calls.append(path)
        if path:
            arrays = dict(arrays_within(output))
            for name, tensor in arrays.items():
                # A copy, since an operation in place may overwrite it later.
                marked.append((path if len(arrays) == 1 else f"{path}/{name}", tensor.clone()))
        if len(calls) != last:
            return None
        # Whatever the modules around it do with this fails, and leaves no operator in the graph.
        ended.append(ModuleError(f"the graph ends behind `{path}`"))
        return Nothing()

    class Wrapper(torch.nn.Module):
        """The network; it returns what its modules return as well."""

        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
            marked.clear()
            calls.clear()
            ended.clear()
            with marked_parts(), calls_as_run(), values_known(module, buffers):
                output = [] if last == 0 else list(arrays_within(self.network(images)))
            if not output and last is None:
                raise ModuleError(f"{type(module).__name__} returns no array")
            return [*(tensor for _, tensor in marked), *_first_output([tensor for _, tensor in output])]

    axes = dict.fromkeys(dynamic, torch.export.Dim.AUTO)
    # Where an export fails PyTorch prints the graph so far, thousands of lines of a detector's.
    silent = redirect_stderr(io.StringIO())
    with quiet(), torch.enable_grad(), passive_hooks(), silent, watched(module, record, ended=ended):
        try:
            program = torch.export.export(Wrapper().eval(), (images,), dynamic_shapes=(axes or None,), strict=False)
            _check_constants(program)
            names = [clean_name(name) for name, _ in marked]
            said = _stop_gradients(program, names)
            replace_parts(program.graph)
            as_called = rename_results(program.graph) and not _transforms(program.graph)
            if not as_called:
                # The second pass, which resolves views and what `torch.func` transforms, takes longer than the first.
                program = program.run_decompositions(decomp_table={})
            graph = dataclasses.replace(_read_program(program, names), as_called=as_called, under_no_grad=said)
            return _decompose_missing(program, names, graph)
        # What PyTorch raises where it cannot export is of many types.
        except Exception as error:
            raise StoppedError(len(calls)) from error


def _first_output(tensors: "list[torch.Tensor]") -> "list[torch.Tensor]":
    """The first tensor that can have units: not of whole numbers, such as the largest class, nor one number, a loss."""
    fit = (tensor for tensor in tensors if tensor.ndim and (tensor.is_floating_point() or tensor.is_complex()))
    return [tensor for tensor in [next(fit, None)] if tensor is not None] or tensors[:1]


def _transforms(graph: "torch.fx.Graph") -> bool:
    """Whether a graph has steps of `torch.func`, such as `vmap`, in place of the operators that they stand for."""
    return any(getattr(node.target, "__module__", "") == "torch._functorch.predispatch" for node in graph.nodes)


def _decompose_missing(program: Any, names: Sequence[str], graph: Graph) -> Graph:
    """The graph with those operators that are not in our table in terms of ATen's core."""
    import torch

    for _ in range(3):
        missing = {node.target for node in missing_operators(graph.module, graph.wanted)}
        known = torch.export.default_decompositions() if missing else {}
        table = {operator: known[operator] for operator in missing if operator in known}
        # Of views, such as `mH`, PyTorch's own table says nothing; they are made of other operators themselves.
        table |= {
            operator: operator.decompose
            for operator in missing - table.keys()
            if isinstance(operator, torch._ops.OpOverload) and operator._can_decompose()
        }
        if not table:
            break
        program = program.run_decompositions(decomp_table=table)
        graph = dataclasses.replace(_read_program(program, names), as_called=False, under_no_grad=graph.under_no_grad)
    return graph


def _stop_gradients(program: Any, names: Sequence[str]) -> str | None:
    """See `stop_gradients`, of what is exported."""
    if not has_marks(program.graph):
        return None
    graph = _read_program(program, names)
    layers = [node for _, node in graph.marks]
    if not layers and graph.output is None:
        return None
    return stop_gradients(program.graph, graph.image, layers, graph.output or graph.last_layer)


def _check_constants(program: Any) -> None:
    """Refuses, before any pass over the graph, values of the run that the export takes for constants.

    Raises:
        ModuleError: If there is one.
    """
    import torch

    for constant in program.constants.values():
        if isinstance(constant, torch.Tensor) and (
            type(constant) not in (torch.Tensor, torch.nn.Parameter)
            or torch._C._functorch.is_functorch_wrapped_tensor(constant)
        ):
            raise ModuleError("a derivative within the forward, as of `torch.func.grad`, which cannot be exported")


def _read_program(program: Any, names: Sequence[str]) -> Graph:
    from torch.export.graph_signature import InputKind, OutputKind

    nodes = {node.name: node for node in program.graph.nodes}
    tensors: dict[str, str] = {}
    constants: dict[str, torch.Tensor] = {}
    (image,) = (
        nodes[spec.arg.name] for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT
    )
    for spec in program.graph_signature.input_specs:
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            tensors[spec.arg.name] = spec.target.removeprefix("network.")
        elif spec.kind == InputKind.CONSTANT_TENSOR:
            constants[spec.arg.name] = program.constants[spec.target]
    (last,) = (node for node in program.graph.nodes if node.op == "output")
    outputs = [
        node
        for node, spec in zip(last.args[0], program.graph_signature.output_specs, strict=True)
        if spec.kind == OutputKind.USER_OUTPUT
    ]
    output = outputs[len(names)] if len(outputs) > len(names) else None
    marks = list(zip(names, outputs, strict=False))
    return Graph(program.graph_module, image, tensors, constants, marks, output)
