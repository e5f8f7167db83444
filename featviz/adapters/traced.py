"""From a traced network to a Model: its layers are described once, its activations computed on demand."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.adapters.batch_independence import COUNT, find_dependent_layer
from featviz.adapters.gradient_warning import warn_of_barrier
from featviz.adapters.units_axis import ask_network, found_axes, given_units, read_axes, warn_of_guesses
from featviz.errors import FeatvizError, in_one_line, suggest
from featviz.model import BEFORE_RELU, IMAGE, OUTPUT, InputSpec, Layer, Model, Weights
from featviz.tracing.arrangement import Images, Units, arrange, arranged_shape, choose_units, find_images
from featviz.tracing.axes import Axes, image_layout
from featviz.tracing.factors import unknown
from featviz.tracing.following import follow_axes
from featviz.tracing.names import NamedValue, name_value, name_values
from featviz.tracing.parents import find_parents
from featviz.tracing.preactivation import rectified_values
from featviz.tracing.program import Program, Value, trace
from featviz.tracing.relu import count_relus
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


def build_model(
    forward: Forward,
    weights: Weights,
    spec: InputSpec,
    *,
    name: str,
    by_scope: bool = False,
    single_image: bool = False,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of a network that JAX can trace.

    Its layers are those of `name_values`. `Model.apply` runs only the steps that the requested layers need, pre-
    activations (`before_relu`) among them. Units are moved to an activation's last axis. At another size than that of
    the training the network may fail behind some layer, a dense one say; the layers before it are still available.

    Args:
        forward: The network, a function of its weights and of encoded images.
        weights: A pytree of arrays.
        spec: How the network takes its images.
        name: What messages and captions call it.
        by_scope: Whether named scopes and operations are layers.
        single_image: Whether the network takes one image only. Of another one this is found out: a network in which an
            image depends on the others of its batch is run image by image, with a warning.
        axes: By layer or pattern of layers, the axis of the units in the array that the network computes, where what
            is found is not right.
        classes: The names of its outputs.
        source: Where it comes from.

    Raises:
        FeatvizError: If the network fails on images of the size of `spec` or has no layers, or if `axes` names no layer
            or no axis.
    """
    network = Network(forward, spec, by_scope, single_image)
    traced = _trace(network, weights, _encoded(spec, 1 if single_image else COUNT))
    if not single_image:
        network, traced = _alone_if_needed(network, traced, name, weights)
    if traced.failure is not None:
        raise FeatvizError(
            f"{name} cannot run on images of {_format_size(spec.size)} px: {_reason(traced.failure)}"
        ) from traced.failure
    units = _settle_units(traced, weights, spec, axes or {}, name)
    network, traced = network._replace(axes=found_axes(traced.named, units)), traced._replace(units=units)
    layers = _describe(traced)
    if not layers:
        raise FeatvizError(f"no layer was found in {name}; expected values that depend on the images")
    warn_of_barrier(traced.program, [layer.value for layer in traced.named.values()], name)
    return Model(
        name=name,
        apply=partial(_apply, network, name),
        weights=weights,
        layers=layers,
        input=spec,
        relus=count_relus(traced.program),
        classes=classes,
        source=dict(source or {}),
        absent=tuple(traced.absent.items()),
    )


def _encoded(spec: InputSpec, count: int) -> jax.ShapeDtypeStruct:
    """The shape of a batch of encoded images."""
    images = jax.ShapeDtypeStruct((count, *spec.size, spec.channels), jnp.float32)
    return jax.eval_shape(spec.encode, images)


def _alone_if_needed(network: Network, traced: Traced, name: str, weights: Weights) -> tuple[Network, Traced]:
    """The network run image by image where it takes no other batch, or where images depend on their neighbors."""
    layer = None
    # A network that takes its images apart and together again has layers of one image only.
    apart = bool(traced.absent) and not traced.named.keys() - {OUTPUT}
    if traced.failure is None and not apart:
        locations = {layer: each.location for layer, each in traced.named.items()}
        values = {layer: each.value if isinstance(each, ValueLocation) else None for layer, each in locations.items()}
        layer = find_dependent_layer(traced.program, values, partial(_apply, network, name), weights, network.input)
        if layer is None:
            return network, traced
    single = network._replace(single_image=True)
    alone = _trace(single, weights, _encoded(network.input, 1))
    if layer is not None:
        what = "its output" if layer == OUTPUT else f"`{layer}`"
        depends = f"in {name}, {what} of one image depends on the other images of its batch"
        if alone.failure is not None:
            raise FeatvizError(f"{depends}, and it takes no single image: {_reason(alone.failure)}") from alone.failure
        warnings.warn(f"{depends}; it is run image by image", stacklevel=4)
    return (single, alone) if alone.failure is None else (network, traced)


def _settle_units(
    traced: Traced, weights: Weights, spec: InputSpec, axes: Mapping[str, int], name: str
) -> dict[str, Units]:
    """The axis of the units of each layer: as the user says, as the program says, or as the network answers."""
    given = {
        layer: given_units(traced.named[layer], axis) for layer, axis in read_axes(axes, traced.named, name).items()
    }
    units = traced.units | given
    uncertain = {layer: traced.named[layer] for layer, each in units.items() if not each.certain}
    if uncertain:
        units |= ask_network(traced.program, uncertain, weights, spec)
        warn_of_guesses([layer for layer in uncertain if not units[layer].certain], traced.named, units, name)
    return units


def _apply(
    network: Network,
    name: str,
    weights: Weights,
    images: Float[Array, "n h w c"],
    *,
    layers: Sequence[str] | None = None,
) -> dict[str, Float[Array, "n *positions units"]]:
    """See `Apply`. Raises FeatvizError for an unknown layer, and where the network fails at this size."""
    if network.single_image and images.shape[0] != 1:
        activations = jax.vmap(lambda image: _apply(network, name, weights, image[None], layers=layers))(images)
        return {layer: values[:, 0] for layer, values in activations.items()}
    encoded = network.input.encode(images)
    traced = _trace(network, weights, encoded)
    wanted = [layer for layer in (traced.named if layers is None else layers) if layer != IMAGE]
    missing = [layer for layer in wanted if layer.removesuffix(BEFORE_RELU) not in traced.named]
    if traced.failure is not None and (missing or layers is None):
        size = _format_size(images.shape[1:3])
        raise FeatvizError(
            f"`size` is {size}: {name} cannot run on images of {size} px ({_reason(traced.failure)}); "
            f"expected {_format_size(network.input.size)}, that of its training"
        ) from traced.failure
    if missing:
        raise FeatvizError(
            f"`layers` names `{missing[0]}`, which the network lacks; {suggest(missing[0], traced.named)}"
        )
    values = compute(traced.program, jax.tree.leaves((weights, encoded)), _locate(traced, wanted))
    plain = [layer.removesuffix(BEFORE_RELU) for layer in wanted]
    arranged = [
        arrange(value, traced.named[layer].images, traced.units[layer].axis)
        for layer, value in zip(plain, values, strict=True)
    ]
    return {IMAGE: images, **dict(zip(wanted, arranged, strict=True))}


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


def _trace(network: Network, weights: Weights, encoded: jax.Array | jax.ShapeDtypeStruct) -> Traced:
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
        return {**extra, OUTPUT: output}

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


def _describe(traced: Traced) -> tuple[Layer, ...]:
    locations = {name: layer.location for name, layer in traced.named.items() if name != OUTPUT}
    parents, rectified = find_parents(traced.program, locations), rectified_values(traced.program)

    def shape(name: str) -> tuple[int, ...]:
        layer = traced.named[name]
        return arranged_shape(layer.value.aval.shape, layer.images, traced.units[name].axis)[1:]

    return tuple(
        Layer(name, shape(name), parents[name], location.is_rectified(rectified))
        for name, location in locations.items()
    )


def _reason(error: Exception, *, limit: int = 240) -> str:
    """A framework's message on one line, without the addresses of its manual."""
    text = re.sub(r"\s*\(?https?://[^\s)]*\)*", "", in_one_line(error))
    return text if len(text) <= limit else text[:limit].rstrip() + " ..."


def _format_size(size: Sequence[int]) -> str:
    return " x ".join(map(str, size))
