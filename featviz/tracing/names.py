"""The layers of a traced network, by name: marks, scopes, activation functions, and the same inside scans."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, count
from typing import NamedTuple

import jax.numpy as jnp

from featviz.tracing.activation_functions import find_activation_functions
from featviz.tracing.arrangement import Images, find_images
from featviz.tracing.axes import Axes
from featviz.tracing.factors import Layout
from featviz.tracing.following import follow_axes_in_scan
from featviz.tracing.hard_functions import find_hard_functions
from featviz.tracing.marks import clean_name
from featviz.tracing.program import Program, Step, Value, flatten, scan_counts
from featviz.tracing.relu import find_relus
from featviz.tracing.scans import Location, Scan, ScanLocation, ValueLocation

# Why a value is no layer whose axes do not tell the images apart.
NO_IMAGES = "has no axis of the images"
# By step, why what is named within it is no layer.
OUT_OF_REACH = {
    "cond": "lies in a branch of a condition",
    "while": "lies in a loop of unknown length",
    "scan": "lies in a scan that runs backwards",
}
# Steps that have weights, and what their values are called where nothing else names them.
OPERATIONS = {"conv_general_dilated": "conv", "dot_general": "dot"}


class NamedValue(NamedTuple):
    """Where a layer's values are, where its images are among them, and what its axes descend from."""

    location: Location
    value: Value
    images: Images
    layout: Layout


class Names(NamedTuple):
    """The layers of a program by name in forward order, and marked values that are none, with the reason."""

    layers: dict[str, NamedValue]
    absent: dict[str, str]


def name_value(value: Value, location: Location, batch: int, axes: Axes) -> NamedValue | str:
    """A value as a layer, or the reason why it is none."""
    if value not in axes.layouts:
        return "does not depend on the image"
    if not jnp.issubdtype(value.aval.dtype, jnp.floating):
        return f"holds {value.aval.dtype} values, which have no gradient"
    layout = axes.layouts[value]
    images = find_images(layout, batch)
    if images is None:
        return NO_IMAGES
    if len(layout) + len(images.parts) < 3:
        return "is one number an image"
    return NamedValue(location, value, images, layout)


def name_values(
    program: Program,
    batch: int,
    axes: Axes,
    *,
    extra: Sequence[tuple[str, Value]] = (),
    by_scope: bool = False,
) -> Names:
    """The layers of a program by name, in forward order.

    Marked values are layers, the second one of a name being `name[1]`, also where the first is no layer. A ReLU of the
    output of `conv1` is `conv1/relu`, any other is `relu` within its scope; smooth activation functions likewise. What
    iteration 3 of a scan names `mlp` is `blocks[3]/mlp`.

    Args:
        program: The traced network.
        batch: The number of images that it was traced for.
        axes: What is known of the axes of each value that depends on the images.
        extra: Further named values.
        by_scope: Whether the value that leaves each `jax.named_scope` is a layer too, and every convolution and product
            that has weights.
    """
    layers: dict[str, NamedValue] = {}
    absent: dict[str, str] = {}
    names: dict[Value, str] = {}

    def add(name: str, value: Value, numbered: Callable[[str, int], str], *, marked: bool = False) -> None:
        layer = name_value(value, ValueLocation(value), batch, axes)
        if isinstance(layer, str) and not marked:
            return
        repeats, unique = 0, name
        while unique in layers or unique in absent:
            repeats += 1
            unique = numbered(name, repeats)
        if isinstance(layer, str):
            absent[unique] = layer
        else:
            layers[unique], names[value] = layer, unique

    for name, value in (*program.marks, *extra):
        add(name, value, "{}[{}]".format, marked=True)
    if by_scope:
        for name, value in _scope_outputs(program):
            if value not in names:
                add(name, value, "{}[{}]".format)
        for name, value in _weighted_operations(program, axes):
            if value not in names:
                add(name, value, "{}_{}".format)
    functions = [*_attention_heads(program, batch, axes)]
    hard = list(find_hard_functions(program, known=names))
    parts = {value for each in hard for value in (each.function.output, *each.within)} - names.keys()
    relus = [relu for relu in find_relus(program) if relu.output not in parts]
    functions += [("relu", relu.input, relu.output) for relu in relus]
    functions += [each.function for each in hard]
    functions += find_activation_functions(program, known={*names, *(relu.output for relu in relus)})
    for kind, source, value in functions:
        if value not in names:
            stem = names[source] if source in names else _module_path(program.producers[value].scope, by_scope)
            add(f"{stem}/{kind}" if stem else kind, value, "{}_{}".format)

    rank = {value: index for index, step in enumerate(program.steps) for value in step.outputs}
    order = {name: (rank.get(layer.value, -1), 0) for name, layer in layers.items()}
    for index, step in enumerate(program.steps):
        if (
            step.primitive.name == "scan"
            and not step.params["reverse"]
            and not axes.layouts.keys().isdisjoint(step.inputs)
        ):
            inner = _name_in_scan(Scan(step), index, batch, axes, by_scope, layers)
            absent |= inner.absent
            for offset, (name, layer) in enumerate(inner.layers.items()):
                layers[name], order[name] = layer, (index - 1, offset + 1)
        else:
            absent |= {name: why for name, why in _out_of_reach(step) if name not in layers}
    return Names(dict(sorted(layers.items(), key=lambda item: order[item[0]])), absent)


def _out_of_reach(step: Step) -> Iterator[tuple[str, str]]:
    """The names that are given within a step whose values cannot be computed alone, with the reason."""
    kind, params = step.primitive.name, step.params
    bodies = {"cond": lambda: params["branches"], "while": lambda: [params["body_jaxpr"]]}
    if kind == "scan" and params["reverse"]:
        bodies["scan"] = lambda: [params["jaxpr"]]
    for body in bodies[kind]() if kind in bodies else ():
        yield from ((name, OUT_OF_REACH[kind]) for name, _ in flatten(body).marks)


def _name_in_scan(scan: Scan, index: int, batch: int, axes: Axes, by_scope: bool, taken: Collection[str]) -> Names:
    """The layers of a scan's iterations; with `by_scope` also what each iteration carries on."""
    body = scan.body
    carried = [("", body.outputs[0])] if by_scope and scan_counts(scan.step).carried else []
    inner_axes = follow_axes_in_scan(scan.step, index, body, axes)
    inner = name_values(body, batch, inner_axes, extra=carried, by_scope=by_scope)
    marks = [name for name, _ in body.marks]
    common = posixpath.commonpath([name.strip("/") for name in marks]) if marks else ""
    path = common or _module_path(scan.step.scope, by_scope) or "scan"
    stems = chain([path], (f"{path}_{repeats}" for repeats in count(1)))
    stem = next(stem for stem in stems if f"{stem}[0]" not in taken)
    names = Names({}, {})

    def inside(name: str, iteration: int) -> str:
        rest = name[len(path) :] if common and f"{name}/".startswith(f"{path}/") else f"/{name}"
        return f"{stem}[{iteration}]{rest.rstrip('/')}"

    for iteration in range(scan.length):
        for name, layer in inner.layers.items():
            location = ScanLocation(scan, iteration, layer.location)
            names.layers[inside(name, iteration)] = layer._replace(location=location)
        names.absent.update((inside(name, iteration), reason) for name, reason in inner.absent.items())
    return names


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


def _attention_heads(program: Program, batch: int, axes: Axes) -> Iterator[tuple[str, Value, Value]]:
    """The outputs of attention's heads side by side: products of two varying values, reshaped to (n, tokens, units)."""
    # NumPy's matmul takes an axis of one image off and puts it back by `broadcast_in_dim`.
    reshaping = {"transpose", "reshape", "copy", "convert_element_type", "squeeze", "broadcast_in_dim"}
    users, layouts = program.users, axes.layouts
    for step in program.steps:
        if step.primitive.name == "dot_general" and all(value in layouts for value in step.inputs):
            product = value = step.outputs[0]
            while len(after := users.get(value, [])) == 1 and after[0].primitive.name in reshaping:
                if after[0].outputs[0].aval.size != value.aval.size:
                    break
                value = after[0].outputs[0]
            shape, before = value.aval.shape, product.aval.shape
            images = find_images(layouts[value], batch)
            # PyTorch's tokens may be folded into the images' axis, and its products have images and heads on one.
            is_tokens = len(shape) == 3 or (images is not None and len(shape) + len(images.parts) == 4)
            if is_tokens and (len(before) > 3 or shape[-1] > before[-1]):
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
        if kind is None or all(value in axes.layouts for value in step.inputs):
            continue
        value = step.outputs[0]
        after = users.get(value, [])
        adding = after[0] if len(after) == 1 else None
        if (
            adding is not None
            and adding.primitive.name == "add"
            and not all(other in axes.layouts for other in adding.inputs)
        ):
            value = adding.outputs[0]
        path = _scope_path(step.scope)
        yield f"{path}/{kind}" if path else kind, value
