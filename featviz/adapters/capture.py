"""Naming what a traced network computes: its modules' outputs and the ReLUs between them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from featviz.adapters.preactivation import evaluate_before, rectified
from featviz.errors import FeatvizError, nearest
from featviz.model import BEFORE_RELU, IMAGE, OUTPUT, Apply, InputSpec, Layer, Weights
from featviz.relu import count_relus, find_relus
from featviz.trace import Program, Value, evaluate, trace

# The network's encoded input -> its named values; OUTPUT must be among them.
Forward = Callable[[Weights, jax.Array], Mapping[str, jax.Array]]


def capture(forward: Forward, spec: InputSpec) -> Apply:
    """`apply(weights, images)` of a network that names its modules' outputs, with its ReLUs named as well.

    A ReLU of the output of `conv1` is `conv1/relu`; any other is `relu` within the scope where it stands. `apply`
    computes what the layers asked for need and nothing else; `before_relu(layer)` is among what may be asked for.
    Raises FeatvizError for an unknown layer.
    """

    def apply(weights: Weights, images: jax.Array, *, layers: Sequence[str] | None = None) -> dict[str, jax.Array]:
        encoded = spec.encode(images)
        program, named = name_values(forward, weights, encoded)
        wanted = [name for name in (named if layers is None else layers) if name != IMAGE]
        inside = [name for name in wanted if name.endswith(BEFORE_RELU)]
        after = [name for name in wanted if name not in inside]
        for name in wanted:
            if name.removesuffix(BEFORE_RELU) not in named:
                raise FeatvizError(f"`layers` names `{name}`, which the network lacks; {nearest(name, named)}")
        leaves = jax.tree.leaves((weights, encoded))
        found = dict(zip(after, evaluate(program, leaves, [named[name] for name in after]), strict=True))
        if inside:
            values = [named[name.removesuffix(BEFORE_RELU)] for name in inside]
            shut = rectified(program)
            for name, value in zip(inside, values, strict=True):
                if value not in shut:
                    raise FeatvizError(f"`layers` names `{name}`, but that layer does not come out of a ReLU")
            found |= dict(zip(inside, evaluate_before(program, leaves, values), strict=True))
        return {IMAGE: images, **{name: found[name] for name in wanted}}

    return apply


def name_values(
    forward: Forward, weights: Weights, encoded: jax.Array | jax.ShapeDtypeStruct
) -> tuple[Program, dict[str, Value]]:
    """The network's program and its named values, in forward order, OUTPUT last."""
    program, shapes = trace(forward, weights, encoded)
    outputs = dict(zip(shapes, program.outputs, strict=True))
    batch = encoded.shape[0]
    named = {name: value for name, value in outputs.items() if name != OUTPUT and _is_layer(value, batch)}
    taken = set(named.values())
    modules = {value: name for name, value in named.items()}
    for relu in find_relus(program):
        if relu.output in taken or not _is_layer(relu.output, batch):
            continue
        taken.add(relu.output)
        stem = modules.get(relu.input) or _module_path(program.producers[relu.output].scope)
        named[_unused(f"{stem}/relu" if stem else "relu", named)] = relu.output
    order = {value: index for index, step in enumerate(program.steps) for value in step.outputs}
    ordered = dict(sorted(named.items(), key=lambda item: order.get(item[1], -1)))
    return program, {**ordered, OUTPUT: outputs[OUTPUT]}


def describe_layers(forward: Forward, weights: Weights, spec: InputSpec) -> tuple[tuple[Layer, ...], int]:
    """The layers of a network at its training size, and how many ReLUs were found; nothing is computed."""
    encoded = jax.ShapeDtypeStruct((1, *spec.size, spec.channels), jnp.float32)
    program, named = name_values(forward, weights, encoded)
    del named[OUTPUT]
    parents = _parents(program, named)
    shut = rectified(program)
    layers = tuple(
        Layer(name, tuple(value.aval.shape[1:]), parents[name], value in shut) for name, value in named.items()
    )
    return layers, count_relus(program)


def _is_layer(value: Value, batch: int) -> bool:
    shape, dtype = value.aval.shape, value.aval.dtype
    return 2 <= len(shape) <= 5 and shape[0] == batch and jnp.issubdtype(dtype, jnp.floating)


def _module_path(scope: str) -> str:
    """The scope of a step without the network's own class name, which flax writes first."""
    return re.sub(r"[<>]", "", "/".join(scope.split("/")[1:]))


def _unused(name: str, taken: Iterable[str]) -> str:
    number = 1
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _parents(program: Program, named: Mapping[str, Value]) -> dict[str, tuple[str, ...]]:
    """The nearest named values that each named value is computed from, in forward order."""
    names = {value: name for name, value in named.items()}
    rank = {name: index for index, name in enumerate(named)}
    above: dict[Value, frozenset[str]] = {}
    for step in program.steps:
        found: set[str] = set()
        for value in step.inputs:
            found |= {names[value]} if value in names else above.get(value, frozenset())
        above.update(dict.fromkeys(step.outputs, frozenset(found)))
    return {name: tuple(sorted(above.get(value, ()), key=rank.__getitem__)) for name, value in named.items()}


def flatten_named(tree: Any, *, prefix: str = "") -> dict[str, jax.Array]:
    """The arrays of a nested dict of outputs by '/'-joined path; further items of a sequence get a number."""
    flat: dict[str, jax.Array] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        keys = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path]
        flat[re.sub(r"[<>]", "", "/".join([prefix, *keys] if prefix else keys))] = leaf
    return flat
