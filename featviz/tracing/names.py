"""The layers of a traced network, by name: marks, scopes, activation functions, and the same inside scans."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, count
from typing import NamedTuple

import jax.numpy as jnp

from featviz.tracing.activation_functions import find_activation_functions
from featviz.tracing.axes import Axes, unit_axes_in_scan
from featviz.tracing.marks import clean_name
from featviz.tracing.program import Program, Value
from featviz.tracing.relu import find_relus
from featviz.tracing.scans import Location, Scan, ScanLocation, ValueLocation

# Steps that have weights, and what their values are called where nothing else names them.
OPERATIONS = {"conv_general_dilated": "conv", "dot_general": "dot"}


class NamedValue(NamedTuple):
    """Where a layer's values are, and which axis holds its units, None where the program does not determine it."""

    location: Location
    value: Value
    axis: int | None


def name_values(
    program: Program,
    batch: int,
    axes: Axes,
    *,
    extra: Sequence[tuple[str, Value]] = (),
    by_scope: bool = False,
) -> dict[str, NamedValue]:
    """The layers of a program by name, in forward order.

    Marked values are layers, the second one of a name being `name[1]`. A ReLU of the output of `conv1` is `conv1/relu`,
    any other is `relu` within its scope; smooth activation functions likewise. What iteration 3 of a scan names `mlp`
    is `blocks[3]/mlp`.

    Args:
        program: The traced network.
        batch: The number of images that it was traced for; layers have it on their first axis.
        axes: The axis of the units of each value that depends on the images.
        extra: Further named values.
        by_scope: Whether the value that leaves each `jax.named_scope` is a layer too, and every convolution and product
            that has weights.
    """
    named: dict[str, Value] = {}
    names: dict[Value, str] = {}

    def add(name: str, value: Value, numbered: Callable[[str, int], str]) -> None:
        if value in axes and _is_layer(value, batch):
            repeats, unique = 0, name
            while unique in named:
                repeats += 1
                unique = numbered(name, repeats)
            named[unique], names[value] = value, unique

    for name, value in (*program.marks, *extra):
        add(name, value, "{}[{}]".format)
    if by_scope:
        for name, value in _scope_outputs(program):
            if value not in names:
                add(name, value, "{}[{}]".format)
        for name, value in _weighted_operations(program, axes):
            if value not in names:
                add(name, value, "{}_{}".format)
    functions = [*_attention_heads(program, axes)]
    relus = find_relus(program)
    functions += [("relu", relu.input, relu.output) for relu in relus]
    functions += find_activation_functions(program, known={*names, *(relu.output for relu in relus)})
    for kind, source, value in functions:
        if value not in names:
            stem = names[source] if source in names else _module_path(program.producers[value].scope, by_scope)
            add(f"{stem}/{kind}" if stem else kind, value, "{}_{}".format)

    order: dict[str, tuple[int, ...]] = {}
    rank = {value: index for index, step in enumerate(program.steps) for value in step.outputs}
    layers: dict[str, NamedValue] = {}
    for name, value in named.items():
        layers[name], order[name] = NamedValue(ValueLocation(value), value, axes.get(value)), (rank.get(value, -1), 0)
    for index, step in enumerate(program.steps):
        if step.primitive.name == "scan" and not step.params["reverse"] and not axes.keys().isdisjoint(step.inputs):
            for offset, (name, layer) in enumerate(_name_in_scan(Scan(step), batch, axes, by_scope, layers)):
                layers[name], order[name] = layer, (index - 1, offset + 1)
    return dict(sorted(layers.items(), key=lambda item: order[item[0]]))


def _name_in_scan(
    scan: Scan, batch: int, axes: Axes, by_scope: bool, taken: Collection[str]
) -> Iterator[tuple[str, NamedValue]]:
    """The layers of a scan's iterations; with `by_scope` also what each iteration carries on."""
    body = scan.body
    carried = [("", body.outputs[0])] if by_scope and scan.step.params["num_carry"] else []
    inner = name_values(body, batch, unit_axes_in_scan(scan.step, body, axes), extra=carried, by_scope=by_scope)
    marks = [name for name, _ in body.marks]
    common = posixpath.commonpath([name.strip("/") for name in marks]) if marks else ""
    path = common or _module_path(scan.step.scope, by_scope) or "scan"
    stems = chain([path], (f"{path}_{repeats}" for repeats in count(1)))
    stem = next(stem for stem in stems if f"{stem}[0]" not in taken)
    for iteration in range(scan.length):
        for name, layer in inner.items():
            rest = name[len(path) :] if common and f"{name}/".startswith(f"{path}/") else f"/{name}"
            location = ScanLocation(scan, iteration, layer.location)
            yield f"{stem}[{iteration}]{rest.rstrip('/')}", layer._replace(location=location)


def _is_layer(value: Value, batch: int) -> bool:
    shape, dtype = value.aval.shape, value.aval.dtype
    return 2 <= len(shape) <= 5 and shape[0] == batch and jnp.issubdtype(dtype, jnp.floating)


def _module_path(scope: str, by_scope: bool) -> str:
    """The path of the module that a step's scope stands for; flax's scopes begin with the network's own class name.

    Inside a scope of `marks.module_scope` it is that path, and what follows.
    """
    opened = re.match(r".*<([^<>]*)>(\.?)\)*(.*)", scope)
    if opened:
        return "/".join(part for part in (opened[1], "" if opened[2] else _scope_path(opened[3])) if part)
    return _scope_path(scope if by_scope else "/".join(scope.split("/")[1:]))


def _scope_outputs(program: Program) -> Iterator[tuple[str, Value]]:
    """The last value of each scope that is used outside of it; a scope that is entered again gives another one."""
    last_use: dict[Value, int] = {value: len(program.steps) for value in program.outputs}
    for index, step in enumerate(program.steps):
        for value in step.inputs:
            last_use[value] = max(index, last_use.get(value, -1))
    paths = [_scope_path(step.scope) for step in program.steps]
    opened: dict[str, int] = {}
    for index, path in enumerate([*paths, ""]):
        for scope in [scope for scope in opened if not f"{path}/".startswith(f"{scope}/")]:
            first = opened.pop(scope)
            leaving = [
                value
                for step in program.steps[first:index]
                for value in step.outputs
                if last_use.get(value, -1) >= index
            ]
            if leaving:
                yield scope, leaving[-1]
        parts = path.split("/") if path else []
        for depth in range(len(parts)):
            opened.setdefault("/".join(parts[: depth + 1]), index)


def _attention_heads(program: Program, axes: Axes) -> Iterator[tuple[str, Value, Value]]:
    """The outputs of attention's heads side by side: products of two varying values, reshaped to (n, tokens, units)."""
    reshaping = {"transpose", "reshape", "copy", "convert_element_type"}
    users = program.users
    for step in program.steps:
        if step.primitive.name == "dot_general" and all(value in axes for value in step.inputs):
            product = value = step.outputs[0]
            while len(users.get(value, [])) == 1 and users[value][0].primitive.name in reshaping:
                value = users[value][0].outputs[0]
            shape, before = value.aval.shape, product.aval.shape
            # PyTorch's products have images and heads on one axis.
            if len(shape) == 3 and (len(before) > 3 or shape[-1] > before[-1]):
                yield "heads", product, value


def _scope_path(scope: str) -> str:
    """A scope without what JAX adds to it: transformations (`vmap(block)/conv`) and einsum's letters (`nc,cd->nd`)."""
    parts = re.sub(r"\w+\(([^()]*)\)", r"\1", scope).split("/")
    return "/".join(clean_name(part) for part in parts if part and "->" not in part)


def _weighted_operations(program: Program, axes: Axes) -> Iterator[tuple[str, Value]]:
    """The output of each convolution and product that has weights, with its bias added."""
    users = program.users
    for step in program.steps:
        kind = OPERATIONS.get(step.primitive.name)
        if kind is None or all(value in axes for value in step.inputs):
            continue
        value = step.outputs[0]
        after = users.get(value, [])
        adding = after[0] if len(after) == 1 else None
        if adding is not None and adding.primitive.name == "add" and not all(other in axes for other in adding.inputs):
            value = adding.outputs[0]
        path = _scope_path(step.scope)
        yield f"{path}/{kind}" if path else kind, value
