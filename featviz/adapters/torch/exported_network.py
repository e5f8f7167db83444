"""A copy of a user's module, and its graphs by the shape of the images."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from featviz.adapters.torch.custom_functions import differing_backwards
from featviz.adapters.torch.export_check import find_difference
from featviz.adapters.torch.gradient_hooks import gradients_asked_for, hooks_with_gradients, passive_hooks
from featviz.adapters.torch.graph_ends import without_missing, without_nodes
from featviz.adapters.torch.graph_export import LOCK, Graph, export_graph
from featviz.adapters.torch.interpreter import GraphError, run_graph, to_array
from featviz.adapters.torch.module_copies import (
    fresh_copy,
    named_tensors,
    plain_tensors,
    shared_names,
    still_observers,
)
from featviz.adapters.torch.module_identity import ModuleIdentity
from featviz.adapters.torch.module_runs import StoppedError, run_once
from featviz.adapters.torch.network_messages import messages
from featviz.adapters.torch.run_records import RunRecord, recorded
from featviz.common.shortcuts import find_shortcut, keep, recall
from featviz.errors import FeatvizError
from featviz.model import Weights
from featviz.tracing.marks import mark

if TYPE_CHECKING:
    import torch

# The axes of (n, c, h, w) whose sizes may differ in one graph, tried in this order. Sizes as symbols make an export two
# to four times as long: the first two graphs have a symbol for the batch alone.
DYNAMIC_AT_FIRST: tuple[tuple[int, ...], ...] = ((0,), ())
DYNAMIC_LATER: tuple[tuple[int, ...], ...] = ((0, 2, 3), (0,), ())
# In PyTorch's message where a decision depends on an array's values.
DEPENDS_ON_VALUES = "data-dependent"


@dataclass(eq=False)
class ExportedNetwork:
    """A module, and its graphs by the shape of the images."""

    module: "torch.nn.Module"
    name: str
    graphs: dict[tuple[int, ...], Graph] = field(default_factory=dict)
    # The weight that each placeholder of the first graph takes where that is no parameter or buffer.
    constants: dict[str, str] = field(default_factory=dict)
    single_image: bool = False
    # The layer that the network ends behind.
    upto: str | None = None
    # The functions whose backward is not the derivative of their forward.
    own_backwards: set[str] = field(default_factory=set)
    # What in it hooks were registered on in a run.
    hooked: set[str] = field(default_factory=set)
    # Whether it observed ranges for a quantization, which it no longer does.
    observed: bool = False
    # Why the export ends behind so many calls of modules within, though the module runs.
    ended: tuple[Exception, int] | None = None
    # The first layer that has other values in the export than in the module itself.
    differing: str | None = None
    # How the module's runs on images of each shape ended, and what it did in them.
    trials: dict[tuple[int, ...], StoppedError | None] = field(default_factory=dict)
    digests: dict[tuple[int, ...], str | None] = field(default_factory=dict)
    # The shape of the images of the training, and what recognizes the network in another process.
    training: tuple[int, ...] = ()
    identity: ModuleIdentity | None = None

    def __post_init__(self) -> None:
        self.observed = still_observers(self.module)

    @property
    def first(self) -> Graph:
        """The graph for images of the size of the training."""
        return next(iter(self.graphs.values()))

    @property
    def ends_as_asked(self) -> bool:
        """Whether the layer that the network is to end behind is among its layers; known where there is a graph."""
        return self.upto is None or not self.graphs or any(layer == self.upto for layer, _ in self.first.marks)

    def prepare(self, shape: tuple[int, ...]) -> tuple[Weights, bool]:
        """Exports the module for images of a shape; its weights, and whether it takes one image at a time."""
        self.single_image = not self.runs(shape) and self.runs((1, *shape[1:]))
        self.training = shape
        if not self.single_image:
            self.identity = ModuleIdentity(self.module, shape, self._digest, upto=self.upto)
        # A graph that needs no further weights, and of which nothing is said, waits until it is asked for.
        shortcut = None if self.identity is None else find_shortcut("PyTorch graph", self.identity)
        constants = {} if recall(shortcut) else self._find(shape).constants
        parameters = {path for path, _ in self.module.named_parameters()}
        # Parameters keep the copy's memory, which nothing writes to; a forward may write to its buffers.
        weights = {path: to_array(tensor, copy=path not in parameters) for path, tensor in named_tensors(self.module)}
        plain = {id(tensor): path for path, tensor in plain_tensors(self.module)}
        for placeholder, tensor in constants.items():
            # Single numbers stay in the program, where ReLUs and the like are recognized by them, and so do places
            # that the forward makes.
            path = plain.get(id(tensor), placeholder)
            if tensor.numel() > 1 and (path != placeholder or tensor.is_floating_point()):
                self.constants[placeholder] = path
                weights[path] = to_array(tensor)
        if self.graphs and not self.constants and not any(messages(self)) and self.ends_as_asked:
            keep(shortcut, True)
        return {path: jax.device_put(array, may_alias=True) for path, array in weights.items()}, self.single_image

    def forward(self, weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The output for images; on the way, what each module returns is marked."""
        shape = tuple(encoded.shape)
        with LOCK:
            if not self.graphs:
                self._find(self.training)
            graph = self._find(shape)
            if self.identity is not None:
                self.identity.asked.add(self._several(shape))
        first = graph is self.first
        aliases = {path: path for path in weights}
        for path, other in shared_names(self.module):
            aliases[path] = other
        values: dict[str, Any] = {graph.image.name: encoded}
        for placeholder, path in graph.tensors.items():
            values[placeholder] = weights[aliases[path]]
        for placeholder, tensor in graph.constants.items():
            if first and placeholder in self.constants:
                values[placeholder] = weights[self.constants[placeholder]]
            else:
                # The arrays of further sizes, single numbers and places.
                plain = tensor.numel() == 1 or not tensor.is_floating_point()
                values[placeholder] = to_array(tensor) if plain else jnp.asarray(to_array(tensor))
        graph, values = self._run_graph(graph, values, of_first_size=encoded.shape[1:] == next(iter(self.graphs))[1:])
        self._mark(graph, values)
        if graph.output is None:
            if graph.failure is not None and not (graph.runs and graph.marks):
                raise graph.failure
            if not graph.marks:
                raise FeatvizError(f"{self.name} returns no array")
            return values[graph.last_layer.name], {}
        return values[graph.output.name], {}

    def _run_graph(
        self, graph: Graph, inputs: Mapping[str, Any], *, of_first_size: bool
    ) -> tuple[Graph, dict[str, Any]]:
        """The values of a graph, and what is left of it; on images of the training size it ends where a node fails."""
        first = next(iter(self.graphs))
        while True:
            try:
                return graph, run_graph(graph.module, inputs, graph.wanted)
            except GraphError as error:
                if graph is not self.graphs[first] or not of_first_size:
                    self._mark(graph, error.values)
                    raise
                self.graphs[first] = graph = without_nodes(graph, {error.node: error})

    def _mark(self, graph: Graph, values: Mapping[str, Any]) -> None:
        for layer, node in graph.marks:
            if node.name in values:
                mark(layer, values[node.name])

    def _find(self, shape: tuple[int, ...]) -> Graph:
        """The graph for images of a shape, exported where none serves it."""
        import torch

        if self.single_image and not self.graphs:
            shape = (1, *shape[1:])
        for known, graph in self.graphs.items():
            # What ends early at one size need not at another.
            if shape == known or ((graph.failure is None or shape[1:] == known[1:]) and graph.fits(shape)):
                return graph
        # The number of images can be left open where there are several; where it cannot, each has its own graph.
        several = self._several(shape)
        for known, graph in self.graphs.items():
            if graph.fits((shape[0], *known[1:])) and self._does_the_same(graph, known, several):
                self.graphs[shape] = graph
                return graph
        for each in dict.fromkeys((several, shape)):
            if each not in self.graphs:
                self.graphs[each] = graph = self._export(torch.zeros(each))
                if graph is self.first:
                    self.differing = find_difference(self.module, graph, each)
                if each == shape or graph.fits(shape):
                    return graph
        raise AssertionError("the loop ends with the shape itself")

    def _several(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the images that are exported for those of a shape."""
        return shape if self.single_image else (max(2, shape[0]), *shape[1:])

    def _digest(self, shape: tuple[int, ...]) -> str | None:
        """The hash of what the module does with images of a shape, as far as it is wanted; None where it fails.

        Nor is there one where the graph ends early.
        """
        if any(graph.failure is not None for graph in self.graphs.values()):
            return None
        with LOCK:
            return self.digests[shape] if self.runs(shape) else None

    def _does_the_same(self, graph: Graph, known: tuple[int, ...], shape: tuple[int, ...]) -> bool:
        """Whether the module does with images of a shape what it did with those that a graph was exported for.

        Exporting takes seconds, running a fraction of one.
        """
        if not graph.as_called or graph.failure is not None or self.digests.get(known) is None:
            return False
        kept = {id(tensor) for _, tensor in plain_tensors(self.module)}
        # What the forward makes and the export computes is that of one size.
        if any(tensor.numel() > 1 and id(tensor) not in kept for tensor in graph.constants.values()):
            return False
        return self.runs(shape) and self.digests[shape] == self.digests[known]

    def runs(self, shape: tuple[int, ...]) -> bool:
        """Whether the module runs on images of a shape, as far as it is wanted."""
        stopped = self._run(shape)
        return stopped is None or stopped.reached

    def _run(self, shape: tuple[int, ...]) -> StoppedError | None:
        """Runs the module for real, once for each shape, so that the tables that it keeps are real; why it fails."""
        import torch

        if shape not in self.trials:
            images = torch.zeros(shape)
            record = RunRecord(self.module, images)
            asked: set[str] = set()
            with recorded(record), gradients_asked_for(asked):
                stopped = self._try(images, record)
            if asked and not self.hooked:
                self.hooked |= hooks_with_gradients(self.module, images, upto=self.upto)
            if stopped is not None and not stopped.reached:
                # It may be the record that fails.
                stopped = self._try(images)
            self.trials[shape], self.digests[shape] = stopped, record.digest
        return self.trials[shape]

    def _try(self, images: "torch.Tensor", record: RunRecord | None = None) -> StoppedError | None:
        observe = None if record is None else record.add_module
        try:
            with differing_backwards(self.own_backwards), passive_hooks(found=self.hooked):
                run_once(self.module, images, upto=self.upto, observe=observe)
        except StoppedError as error:
            return error
        return None

    def _export(self, images: "torch.Tensor") -> Graph:
        """The graph for images of a shape; where the module or its export fails, the part before that."""
        stopped = self._run(tuple(images.shape))
        failure = stopped.failure if stopped is not None and not stopped.reached else None
        runs, calls = failure is None, None if stopped is None else stopped.calls
        if calls is None and self.ended is not None:
            # What depends on values at one size does at others.
            failure, calls = self.ended
        graph, ended = self._attempt(images, calls)
        if ended is not None:
            failure = failure or ended.failure
            for calls in (ended.calls, 0):
                graph, _ = self._attempt(images, calls)
                if graph is not None:
                    break
            if runs:
                self.ended = (failure, calls or 0)
        if graph is None:
            raise ended or AssertionError("without a graph there is an error")
        graph = replace(graph, output=graph.output if calls is None else None, failure=failure, runs=runs)
        return without_missing(graph)

    def _attempt(self, images: "torch.Tensor", calls: int | None) -> tuple[Graph | None, StoppedError | None]:
        """The graph of so many calls of modules within, of all by default, or why there is none."""
        last = None
        attempts = DYNAMIC_LATER if len(set(self.graphs.values())) > 1 else DYNAMIC_AT_FIRST
        # One element is no size that can be left open.
        for dynamic in dict.fromkeys(tuple(axis for axis in axes if images.shape[axis] > 1) for axes in attempts):
            try:
                return export_graph(fresh_copy(self.module), images, dynamic=dynamic, last=calls), None
            except StoppedError as error:
                last = error
                if DEPENDS_ON_VALUES in str(error.failure):  # also for one size
                    break
        return None, last

    def warn(self) -> None:
        """Says where the network ends early, whose backward is not used, and what in it is random."""
        for message in messages(self) if self.graphs else ():
            warnings.warn(message, stacklevel=3)
