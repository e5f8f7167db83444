"""From a traced network to a Model: its layers are described once, its activations computed on demand."""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from featviz.adapters.batch_independence import COUNT, find_dependent_layer
from featviz.adapters.gradient_warning import warn_of_barrier
from featviz.adapters.network_apply import (
    Forward,
    Network,
    Traced,
    TracedApply,
    format_size,
    reason,
    trace_network,
)
from featviz.adapters.units_axis import ask_network, found_axes, given_units, read_axes, warn_of_guesses
from featviz.common.shortcuts import find_shortcut, keep, recall
from featviz.common.spelling import Identified
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, InputSpec, Layer, Model, Weights
from featviz.tracing.arrangement import Units, arranged_shape
from featviz.tracing.batch_axis import find_mixing
from featviz.tracing.names import NO_IMAGES
from featviz.tracing.parents import find_parents
from featviz.tracing.preactivation import rectified_values
from featviz.tracing.relu import count_relus
from featviz.tracing.scans import ValueLocation


class _Found(NamedTuple):
    """What tracing found of a network: its layers, the axes of their units, its ReLUs, and what is no layer."""

    layers: tuple[Layer, ...]
    axes: Mapping[str, int]
    relus: int
    absent: tuple[tuple[str, str], ...]


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
    known: Identified | None = None,
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
        known: What recognizes the network in another process, which then need not trace it.

    Raises:
        FeatvizError: If the network fails on images of the size of `spec` or has no layers, or if `axes` names no layer
            or no axis.
    """
    network = Network(forward, spec, by_scope, single_image)
    shortcut = None if known is None else find_shortcut("layers", (known, *network[1:], dict(axes or {})))
    found = recall(shortcut)
    if found is not None:
        return _assemble(network, weights, found, name=name, classes=classes, source=source, known=known)
    traced = trace_network(network, weights, _encoded(spec, 1 if single_image else COUNT))
    if not single_image:
        network, traced = _alone_if_needed(network, traced, name, weights)
    if traced.failure is not None:
        raise FeatvizError(
            f"{name} cannot run on images of {format_size(spec.size)} px: {reason(traced.failure)}"
        ) from traced.failure
    certain = traced.units
    units = _settle_units(traced, weights, spec, axes or {}, name)
    network, traced = network._replace(axes=found_axes(traced.named, units)), traced._replace(units=units)
    layers = _describe(traced)
    if not layers:
        raise FeatvizError(f"no layer was found in {name}; expected values that depend on the images")
    barred = warn_of_barrier(traced.program, [layer.value for layer in traced.named.values()], name)
    found = _Found(layers, network.axes, count_relus(traced.program), tuple(traced.absent.items()))
    # What weights decide is found out each time, and what the user is warned of is said each time.
    decided = all(each.certain for each in certain.values()) and not barred and not network.single_image
    if decided and find_mixing(traced.program, traced.program.inputs[-1], COUNT) is None:
        keep(shortcut, found._replace(axes=dict(found.axes)))
    return _assemble(network, weights, found, name=name, classes=classes, source=source, known=known)


def _assemble(
    network: Network,
    weights: Weights,
    found: _Found,
    *,
    name: str,
    classes: tuple[str, ...],
    source: Mapping[str, str] | None,
    known: Identified | None,
) -> Model:
    return Model(
        name=name,
        apply=TracedApply(network._replace(axes=found.axes), name, known),
        weights=weights,
        layers=found.layers,
        input=network.input,
        relus=found.relus,
        classes=classes,
        source=dict(source or {}),
        absent=found.absent,
    )


def _encoded(spec: InputSpec, count: int) -> jax.ShapeDtypeStruct:
    """The shape of a batch of encoded images."""
    images = jax.ShapeDtypeStruct((count, *spec.size, spec.channels), jnp.float32)
    return jax.eval_shape(spec.encode, images)


def _alone_if_needed(network: Network, traced: Traced, name: str, weights: Weights) -> tuple[Network, Traced]:
    """The network run image by image where it takes no other batch, or where images depend on their neighbors."""
    found = None
    # A network that takes its images apart and together again has layers of one image only.
    apart = bool(traced.absent) and not traced.named.keys() - {OUTPUT}
    looped = _of_one_image_each(traced)
    if traced.failure is None and not apart:
        locations = {layer: each.location for layer, each in traced.named.items()}
        values = {layer: each.value if isinstance(each, ValueLocation) else None for layer, each in locations.items()}
        found = find_dependent_layer(traced.program, values, TracedApply(network, name), weights, network.input)
        if found is None and not looped:
            return network, traced
    single = network._replace(single_image=True)
    alone = trace_network(single, weights, _encoded(network.input, 1))
    if found is not None:
        what = "its output" if found.layer == OUTPUT else f"`{found.layer}`"
        depends = f"in {name}, {what} of one image depends on the other images of its batch"
        if found.random:
            depends = (
                f"in {name}, {what} depends on random numbers, as of dropout that is left on, of each image its own"
            )
        if alone.failure is not None:
            raise FeatvizError(f"{depends}, and it takes no single image: {reason(alone.failure)}") from alone.failure
        same = ", with the same numbers for all" if found.random else ""
        warnings.warn(f"{depends}; it is run image by image{same}", stacklevel=4)
    elif looped:
        taken = apart or (alone.failure is None and looped[0] in alone.named)
        how = "it is run image by image" if taken else "what the loop computes is no layer"
        warnings.warn(
            f"{name} computes `{looped[0]}` of one image at a time, in a loop over its batch; {how}", stacklevel=4
        )
        if not taken:
            return network, traced
    return (single, alone) if alone.failure is None else (network, traced)


def _of_one_image_each(traced: Traced) -> list[str]:
    """The values without an axis of the images that modules return once for each image of the batch."""
    without = [name for name, why in traced.absent.items() if why == NO_IMAGES]
    return [name for name in without if f"{name}[{COUNT - 1}]" in without and f"{name}[{COUNT}]" not in without]


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
