"""From a traced network to a Model: its layers described, and its activations computed."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from featviz.errors import FeatvizError, in_one_line, nearest
from featviz.model import BEFORE_RELU, IMAGE, OUTPUT, InputSpec, Layer, Model, Weights
from featviz.tracing.axes import unit_axes
from featviz.tracing.names import Named, name_places
from featviz.tracing.parents import parents
from featviz.tracing.preactivation import rectified
from featviz.tracing.program import Program, Value, trace
from featviz.tracing.relu import count_relus
from featviz.tracing.scans import Inside, Place, Spot, compute

# The network's encoded input -> its output, and further values by name. Others carry marks (`featviz.tracing.marks`).
Forward = Callable[[Weights, jax.Array], tuple[jax.Array, Mapping[str, jax.Array]]]


class Network(NamedTuple):
    """How a framework's network is run and named. One that takes `single` images is run on each of several."""

    forward: Forward
    input: InputSpec
    by_scope: bool = False
    single: bool = False


class Traced(NamedTuple):
    """A network's program at one size; `failure` says why it ends early, where it does."""

    program: Program
    named: dict[str, Named]
    failure: Exception | None


def build_model(
    forward: Forward,
    weights: Weights,
    spec: InputSpec,
    *,
    name: str,
    by_scope: bool = False,
    single: bool = False,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of a network that can be traced.

    Its layers are those that `name_places` finds. `apply(weights, images)` computes what the layers asked for need and
    nothing else; `before_relu(layer)` is among what may be asked for. Units lie on an activation's last axis, whichever
    it was in the network. At another size than that of the training, where the network may fail behind some layer (one
    that is dense, say), the layers before it can still be had.
    Raises: FeatvizError if the network fails, or has no layers.
    """
    network = Network(forward, spec, by_scope, single)
    encoded = jax.eval_shape(
        spec.encode, jax.ShapeDtypeStruct((1 if single else 2, *spec.size, spec.channels), jnp.float32)
    )
    traced = _trace(network, weights, encoded)
    if traced.failure is not None:
        raise FeatvizError(
            f"{name} cannot run on images of {_write(spec.size)} px: {_reason(traced.failure)}"
        ) from traced.failure
    layers = _describe(traced)
    if not layers:
        raise FeatvizError(f"no layer was found in {name}; expected values that depend on the images")
    return Model(
        name=name,
        apply=partial(_apply, network, name),
        weights=weights,
        layers=layers,
        input=spec,
        relus=count_relus(traced.program),
        classes=classes,
        source=dict(source or {}),
    )


def _apply(
    network: Network, name: str, weights: Weights, images: jax.Array, *, layers: Sequence[str] | None = None
) -> dict[str, jax.Array]:
    """See `Apply`. Raises FeatvizError for an unknown layer, and where the network fails at this size."""
    if network.single and images.shape[0] != 1:
        found = jax.vmap(lambda image: _apply(network, name, weights, image[None], layers=layers))(images)
        return {each: values[:, 0] for each, values in found.items()}
    encoded = network.input.encode(images)
    traced = _trace(network, weights, encoded)
    wanted = [each for each in (traced.named if layers is None else layers) if each != IMAGE]
    missing = [each for each in wanted if each.removesuffix(BEFORE_RELU) not in traced.named]
    if traced.failure is not None and (missing or layers is None):
        size = _write(images.shape[1:3])
        raise FeatvizError(
            f"`size` is {size}: {name} cannot run on images of {size} px ({_reason(traced.failure)}); "
            f"expected {_write(network.input.size)}, that of its training"
        ) from traced.failure
    if missing:
        raise FeatvizError(
            f"`layers` names `{missing[0]}`, which the network lacks; {nearest(missing[0], traced.named)}"
        )
    shut = rectified(traced.program) if any(each.endswith(BEFORE_RELU) for each in wanted) else set()
    places: list[Place] = []
    for each in wanted:
        place = traced.named[each.removesuffix(BEFORE_RELU)].place
        if each.endswith(BEFORE_RELU):
            if not _is_rectified(place, shut):
                raise FeatvizError(f"`layers` names `{each}`, but that layer does not come out of a ReLU")
            place = _before(place)
        places.append(place)
    values = compute(traced.program, jax.tree.leaves((weights, encoded)), places)
    axes = [traced.named[each.removesuffix(BEFORE_RELU)].axis for each in wanted]
    turned = [
        value if axis is None else jnp.moveaxis(value, axis, -1) for axis, value in zip(axes, values, strict=True)
    ]
    return {IMAGE: images, **dict(zip(wanted, turned, strict=True))}


def _trace(network: Network, weights: Weights, encoded: Any) -> Traced:
    """The network's program and its named values in forward order, OUTPUT last."""
    failures: list[Exception] = []

    def run(weights: Weights, encoded: jax.Array) -> dict[str, jax.Array]:
        try:
            output, extra = network.forward(weights, encoded)
        except FeatvizError:
            raise
        # Whatever a framework raises: what came before it can still be had, and the rest is told with its reason.
        except Exception as error:
            failures.append(error)
            return {}
        return {**extra, OUTPUT: output}

    # The network is not ours: it may promote as it likes, whatever is held of the code around it.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        program, shapes = trace(run, weights, encoded)
    outputs = dict(zip(shapes, program.outputs, strict=True))
    first = 1 if network.input.channels_first else encoded.ndim - 1
    axes = unit_axes(program, {program.inputs[-1]: first})
    extra = [(name, value) for name, value in outputs.items() if name != OUTPUT]
    named = name_places(program, encoded.shape[0], axes, extra=extra, by_scope=network.by_scope)
    if OUTPUT in outputs:
        value = outputs[OUTPUT]
        named[OUTPUT] = Named(Spot(value), value, axes.get(value))
    named = {name: each._replace(axis=_axis(each, network.input)) for name, each in named.items()}
    return Traced(program, named, failures[0] if failures else None)


def _axis(named: Named, spec: InputSpec) -> int | None:
    """The axis that becomes the last: where the program does not tell, the one that the input has them on."""
    rank = len(named.value.aval.shape)
    axis = named.axis if named.axis is not None else 1 if spec.channels_first and rank > 3 else rank - 1
    return None if axis == rank - 1 or axis == 0 else axis


def _describe(traced: Traced) -> tuple[Layer, ...]:
    places = {name: each.place for name, each in traced.named.items() if name != OUTPUT}
    above, shut = parents(traced.program, places), rectified(traced.program)

    def shape(named: Named) -> tuple[int, ...]:
        sizes = list(named.value.aval.shape)
        units = sizes.pop(-1 if named.axis is None else named.axis)
        return (*sizes[1:], units)

    return tuple(
        Layer(name, shape(traced.named[name]), above[name], _is_rectified(place, shut))
        for name, place in places.items()
    )


def _reason(error: Exception, *, limit: int = 240) -> str:
    """What a framework says, on one line, without the addresses of its manual."""
    text = re.sub(r"\s*\(?https?://[^\s)]*\)*", "", in_one_line(error))
    return text if len(text) <= limit else text[:limit].rstrip() + " ..."


def _write(size: Sequence[int]) -> str:
    return " x ".join(map(str, size))


def _is_rectified(place: Place, shut: set[Value]) -> bool:
    if isinstance(place, Inside):
        return _is_rectified(place.spot, place.loop.rectified)
    return place.value in shut


def _before(place: Place) -> Place:
    return (
        Inside(place.loop, place.index, _before(place.spot)) if isinstance(place, Inside) else Spot(place.value, True)
    )
