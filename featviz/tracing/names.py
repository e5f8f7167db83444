"""The names of what a traced network computes: marks, scopes, activation functions, and the same within scans."""

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from typing import NamedTuple

import jax.numpy as jnp

from featviz.tracing.activation_functions import find_activations
from featviz.tracing.axes import Axes, inside
from featviz.tracing.marks import clean
from featviz.tracing.program import Program, Value
from featviz.tracing.relu import find_relus
from featviz.tracing.scans import Inside, Loop, Place, Spot

# Steps that have weights, and what they are called where nothing else gives their values a name.
OPERATIONS = {"conv_general_dilated": "conv", "dot_general": "dot"}


class Named(NamedTuple):
    """Where a layer's values are, and which axis holds its units, where the program tells."""

    place: Place
    value: Value
    axis: int | None


def name_places(
    program: Program,
    batch: int,
    axes: Axes,
    *,
    extra: Sequence[tuple[str, Value]] = (),
    by_scope: bool = False,
) -> dict[str, Named]:
    """The layers of a program in forward order, by name.

    Those are the values that carry marks, and `extra` ones, a second one of a name called `name[1]`; with `by_scope`
    what leaves each `jax.named_scope`, and every convolution and product that has weights. A ReLU of the output of
    `conv1` is `conv1/relu`, any other `relu` within the scope where it stands; smooth activation functions as well.
    What iteration 3 of a scan names `mlp` is `blocks[3]/mlp`.
    """
    named: dict[str, Value] = {}
    names: dict[Value, str] = {}

    def give(name: str, value: Value, numbered: Callable[[str, int], str]) -> None:
        if value in axes and _is_layer(value, batch):
            number, unique = 0, name
            while unique in named:
                number += 1
                unique = numbered(name, number)
            named[unique], names[value] = value, unique

    for name, value in (*program.marks, *extra):
        give(name, value, "{}[{}]".format)
    if by_scope:
        for name, value in _scopes(program):
            if value not in names:
                give(name, value, "{}[{}]".format)
        for name, value in _operations(program, axes):
            if value not in names:
                give(name, value, "{}_{}".format)
    functions = [*_heads(program, axes)]
    relus = find_relus(program)
    functions += [("relu", relu.input, relu.output) for relu in relus]
    functions += find_activations(program, known={*names, *(relu.output for relu in relus)})
    for kind, source, value in functions:
        if value not in names:
            stem = names[source] if source in names else _module_path(program.producers[value].scope, by_scope)
            give(f"{stem}/{kind}" if stem else kind, value, "{}_{}".format)
    order: dict[str, tuple[int, ...]] = {}
    rank = {value: number for number, step in enumerate(program.steps) for value in step.outputs}
    found: dict[str, Named] = {}
    for name, value in named.items():
        found[name], order[name] = Named(Spot(value), value, axes.get(value)), (rank.get(value, -1), 0)
    for number, step in enumerate(program.steps):
        if step.primitive.name == "scan" and not step.params["reverse"] and not axes.keys().isdisjoint(step.inputs):
            for at, (name, place) in enumerate(_within(Loop(step), batch, axes, by_scope, found)):
                found[name], order[name] = place, (number - 1, at + 1)
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def _within(loop: Loop, batch: int, axes: Axes, by_scope: bool, taken: dict[str, Named]) -> Iterator[tuple[str, Named]]:
    """The layers of a scan's iterations; with `by_scope` also what each hands on."""
    body = loop.body
    handed = [("", body.outputs[0])] if by_scope and loop.step.params["num_carry"] else []
    names = name_places(body, batch, inside(loop.step, body, axes), extra=handed, by_scope=by_scope)
    marks = [name for name, _ in body.marks]
    common = posixpath.commonpath([name.strip("/") for name in marks]) if marks else ""
    path = common or _module_path(loop.step.scope, by_scope) or "scan"
    stems = chain([path], (f"{path}_{number}" for number in count(1)))
    stem = next(stem for stem in stems if f"{stem}[0]" not in taken)
    for index in range(loop.length):
        for name, each in names.items():
            rest = name[len(path) :] if common and f"{name}/".startswith(f"{path}/") else f"/{name}"
            yield f"{stem}[{index}]{rest.rstrip('/')}", each._replace(place=Inside(loop, index, each.place))


def _is_layer(value: Value, batch: int) -> bool:
    shape, dtype = value.aval.shape, value.aval.dtype
    return 2 <= len(shape) <= 5 and shape[0] == batch and jnp.issubdtype(dtype, jnp.floating)


def _module_path(scope: str, by_scope: bool) -> str:
    """The scope of a step; of a module's network without the network's own class name, which flax writes first.

    Within a scope that `marks.within` has opened it is that one's path, and what follows.
    """
    opened = re.match(r".*<([^<>]*)>(\.?)\)*(.*)", scope)
    if opened:
        return "/".join(part for part in (opened[1], "" if opened[2] else _path(opened[3])) if part)
    return _path(scope if by_scope else "/".join(scope.split("/")[1:]))


def _scopes(program: Program) -> Iterator[tuple[str, Value]]:
    """The last value of each scope that is used outside of it, a scope that is entered again once more."""
    last_use: dict[Value, int] = {value: len(program.steps) for value in program.outputs}
    for number, step in enumerate(program.steps):
        for value in step.inputs:
            last_use[value] = max(number, last_use.get(value, -1))
    paths = [_path(step.scope) for step in program.steps]
    opened: dict[str, int] = {}
    for number, path in enumerate([*paths, ""]):
        for scope in [scope for scope in opened if not f"{path}/".startswith(f"{scope}/")]:
            first = opened.pop(scope)
            leaving = [
                value
                for step in program.steps[first:number]
                for value in step.outputs
                if last_use.get(value, -1) >= number
            ]
            if leaving:
                yield scope, leaving[-1]
        parts = path.split("/") if path else []
        for depth in range(len(parts)):
            opened.setdefault("/".join(parts[: depth + 1]), number)


def _heads(program: Program, axes: Axes) -> Iterator[tuple[str, Value, Value]]:
    """Where attention's heads are put side by side: products of two varying values, made tokens of all heads' units."""
    rows = {"transpose", "reshape", "copy", "convert_element_type"}
    users = program.users
    for step in program.steps:
        if step.primitive.name == "dot_general" and all(each in axes for each in step.inputs):
            product = value = step.outputs[0]
            while len(users.get(value, [])) == 1 and users[value][0].primitive.name in rows:
                value = users[value][0].outputs[0]
            shape, before = value.aval.shape, product.aval.shape
            # PyTorch's products have images and heads on one axis.
            if len(shape) == 3 and (len(before) > 3 or shape[-1] > before[-1]):
                yield "heads", product, value


def _path(scope: str) -> str:
    """A scope without what JAX adds to it: transformations (`vmap(block)/conv`) and einsum's letters (`nc,cd->nd`)."""
    parts = re.sub(r"\w+\(([^()]*)\)", r"\1", scope).split("/")
    return "/".join(clean(part) for part in parts if part and "->" not in part)


def _operations(program: Program, axes: Axes) -> Iterator[tuple[str, Value]]:
    """What comes of each convolution and product with weights, their bias added."""
    users = program.users
    for step in program.steps:
        kind = OPERATIONS.get(step.primitive.name)
        if kind is None or all(value in axes for value in step.inputs):
            continue
        value = step.outputs[0]
        after = users.get(value, [])
        adding = after[0] if len(after) == 1 else None
        if adding is not None and adding.primitive.name == "add" and not all(each in axes for each in adding.inputs):
            value = adding.outputs[0]
        path = _path(step.scope)
        yield f"{path}/{kind}" if path else kind, value
