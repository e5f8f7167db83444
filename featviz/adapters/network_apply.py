"""A network as a function of its images: traced for each size, only the wanted layers computed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.adapters.edited_program import with_edits
from featviz.adapters.units_axis import given_units
from featviz.common.rare_collection import rare_collection
from featviz.common.spelling import Identified, UnspelledError, spell
from featviz.errors import FeatvizError, in_one_line, suggest
from featviz.model import BEFORE_RELU, IMAGE, OUTPUT, InputSpec, Weights
from featviz.model.editable import Editable
from featviz.tracing.arrangement import Images, Units, arrange, choose_units, find_images
from featviz.tracing.axes import Axes, image_layout
from featviz.tracing.factors import unknown
from featviz.tracing.following import follow_axes
from featviz.tracing.names import NamedValue, name_value, name_values
from featviz.tracing.preactivation import rectified_values
from featviz.tracing.program import Program, Value, trace
from featviz.tracing.scans import Location, ValueLocation, compute

# (weights, encoded images) -> the network's output, and further values by name. Values may also be marked
# (`featviz.tracing.marks`).
Forward = Callable[[Weights, jax.Array], tuple[jax.Array, Mapping[str, jax.Array]]]


class Network(NamedTuple):
    """A framework's network as a function, and how its layers are named.

    Attributes:
        forward: The network.
        input: How it takes its images.
        by_scope: Whether named scopes and operations are layers (`name_values`).
        single_image: Whether it takes one image only; it is then run image by image.
        axes: The axis of the units, of values as the network computes them, by layer; those of other layers are found.
    """

    forward: Forward
    input: InputSpec
    by_scope: bool = False
    single_image: bool = False
    axes: Mapping[str, int] = MappingProxyType({})


class Traced(NamedTuple):
    """A network's program at one size and its named values.

    Attributes:
        program: The program.
        named: Its layers in forward order, OUTPUT last.
        units: The axis of the units of each.
        absent: Values that modules return and that are no layers, with the reason.
        failure: Why the program ends early, if it does.
    """

    program: Program
    named: dict[str, NamedValue]
    units: dict[str, Units]
    absent: dict[str, str]
    failure: Exception | None


@dataclass(frozen=True, eq=False)
class TracedApply(Identified, Editable):
    """A network's `Model.apply`, which traces the network anew for each size of images.

    Attributes:
        network: The network.
        name: What messages call it.
        known: What recognizes it in another process; None where nothing does.
        edited: The layers that it edits; if there are any, its weights are `EditedWeights` with edits of these.
    """

    network: Network
    name: str
    known: Identified | None = None
    edited: tuple[str, ...] = ()
    # One function for the same layers, so that what is compiled for one edit serves the next.
    _editing: dict[tuple[str, ...], "TracedApply"] = field(default_factory=dict, repr=False)

    def __call__(
        self, weights: Weights, images: Float[Array, "n h w c"], *, layers: Sequence[str] | None = None
    ) -> dict[str, Float[Array, "n ..."]]:
        """See `Apply`. Raises FeatvizError for an unknown layer, and where the network fails at this size."""
        if self.network.single_image and images.shape[0] != 1:
            activations = jax.vmap(lambda image: self(weights, image[None], layers=layers))(images)
            return {layer: values[:, 0] for layer, values in activations.items()}
        encoded = self.network.input.encode(images)
        traced = self._trace(weights, encoded)
        wanted = [layer for layer in (traced.named if layers is None else layers) if layer != IMAGE]
        missing = [layer for layer in wanted if layer.removesuffix(BEFORE_RELU) not in traced.named]
        if traced.failure is not None and (missing or layers is None):
            size = format_size(images.shape[1:3])
            raise FeatvizError(
                f"`size` is {size}: {self.name} cannot run on images of {size} px ({reason(traced.failure)}); "
                f"expected {format_size(self.network.input.size)}, that of its training"
            ) from traced.failure
        if missing:
            raise FeatvizError(
                f"`layers` names `{missing[0]}`, which the network lacks; {suggest(missing[0], traced.named)}"
            )
        leaves = jax.tree.leaves((weights.network, encoded, weights.edits) if self.edited else (weights, encoded))
        values = compute(traced.program, leaves, _locate(traced, wanted))
        plain = [layer.removesuffix(BEFORE_RELU) for layer in wanted]
        arranged = [
            arrange(value, traced.named[layer].images, traced.units[layer].axis)
            for layer, value in zip(plain, values, strict=True)
        ]
        return {IMAGE: images, **dict(zip(wanted, arranged, strict=True))}

    def _trace(self, weights: Weights, encoded: jax.Array | jax.ShapeDtypeStruct) -> Traced:
        """The network's program, with its edits."""
        if not self.edited:
            return trace_network(self.network, weights, encoded)
        traced = trace_network(self.network, weights.network, encoded)
        # A pytree's dict is flattened in the order of its keys, which is that of the program's further inputs.
        edits = {layer: weights.edits[layer] for layer in sorted(weights.edits)}
        axes = {name: units.axis for name, units in traced.units.items()}
        program, named = with_edits(traced.program, traced.named, axes, edits)
        return traced._replace(program=program, named=named)

    def with_edits(self, layers: tuple[str, ...]) -> "TracedApply":
        """See `Editable`."""
        if layers == self.edited:
            return self
        if layers not in self._editing:
            self._editing[layers] = replace(self, edited=layers)
        return self._editing[layers]

    def rectified_layers(self, weights: Weights) -> frozenset[str]:
        """See `Editable`."""
        spec = self.network.input
        images = jax.ShapeDtypeStruct((1, *spec.size, spec.channels), jnp.float32)
        traced = self._trace(weights, jax.eval_shape(spec.encode, images))
        rectified = rectified_values(traced.program)
        return frozenset(name for name, layer in traced.named.items() if layer.location.is_rectified(rectified))

    def identity(self) -> str:
        """See `Identified`: the network's, how it takes its images, and where its units lie."""
        if self.known is None:
            raise UnspelledError(self.name)
        *_, spec, by_scope, single_image, axes = self.network
        pieces = (spec, by_scope, single_image, dict(axes), *self.edited)
        return f"{self.known.identity()} {spell(pieces, [])}"

    def observed(self) -> Any:
        """See `Identified`."""
        return None if self.known is None else self.known.observed()

    def repeats(self, observed: Any) -> bool:
        """See `Identified`."""
        return self.known is not None and self.known.repeats(observed)


def _locate(traced: Traced, wanted: Sequence[str]) -> list[Location]:
    """Where the values of layers and pre-activations are in the program."""
    any_before = any(layer.endswith(BEFORE_RELU) for layer in wanted)
    rectified = rectified_values(traced.program) if any_before else set()
    locations: list[Location] = []
    for layer in wanted:
        location = traced.named[layer.removesuffix(BEFORE_RELU)].location
        if layer.endswith(BEFORE_RELU):
            if not location.is_rectified(rectified):
                raise FeatvizError(f"`layers` names `{layer}`, but that layer does not come out of a ReLU")
            location = location.preactivation()
        locations.append(location)
    return locations


@rare_collection()
def trace_network(network: Network, weights: Weights, encoded: jax.Array | jax.ShapeDtypeStruct) -> Traced:
    """The network's program and its named values in forward order, OUTPUT last."""
    failures: list[Exception] = []

    def run(weights: Weights, encoded: jax.Array) -> dict[str, jax.Array]:
        try:
            output, extra = network.forward(weights, encoded)
        except FeatvizError:
            raise
        # A framework may raise anything. The layers before the failure stay available, and messages give the reason.
        except Exception as error:
            failures.append(error)
            return {}
        # One number for all images, such as a loss, has none of them on an axis.
        return {**extra, OUTPUT: output if output.ndim else jnp.broadcast_to(output, encoded.shape[:1])}

    # The network is not ours: it may promote as it likes, however strict the code around it is.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        program, shapes = trace(run, weights, encoded)
    outputs = dict(zip(shapes, program.outputs, strict=True))
    channel_axis = 1 if network.input.channels_first else encoded.ndim - 1
    axes = follow_axes(program, {program.inputs[-1]: image_layout(encoded.shape, channel_axis)})
    extra = [(name, value) for name, value in outputs.items() if name != OUTPUT]
    batch = encoded.shape[0]
    named, absent = name_values(program, batch, axes, extra=extra, by_scope=network.by_scope)
    if OUTPUT in outputs:
        named[OUTPUT] = _name_output(outputs[OUTPUT], batch, axes)
    evidence = axes.evidence()
    units = {
        name: given_units(layer, network.axes[name])
        if name in network.axes
        else choose_units(layer.layout, layer.images, evidence, channels_first=network.input.channels_first)
        for name, layer in named.items()
    }
    return Traced(program, named, units, absent, failures[0] if failures else None)


def _name_output(value: Value, batch: int, axes: Axes) -> NamedValue:
    """The network's output, which need not be fit for a layer."""
    location = ValueLocation(value)
    layer = name_value(value, location, batch, axes)
    if not isinstance(layer, str):
        return layer
    layout = axes.layouts.get(value, unknown(value.aval.shape))
    return NamedValue(location, value, find_images(layout, batch) or Images(0, (batch,), 0), layout)


def reason(error: Exception, *, limit: int = 240) -> str:
    """A framework's message on one line, without the addresses of its manual."""
    text = re.sub(r"\s*\(?https?://[^\s)]*\)*", "", in_one_line(error))
    return text if len(text) <= limit else text[:limit].rstrip() + " ..."


def format_size(size: Sequence[int]) -> str:
    """Sides in pixels as messages write them."""
    return " x ".join(map(str, size))
