"""What the axes of a network's values descend from, followed through its traced program from the images on."""

from collections.abc import Callable, Mapping
from functools import reduce

from featviz.tracing.axes import Axes
from featviz.tracing.factors import NOWHERE, Layout, Role, axis, join, unknown
from featviz.tracing.product_axes import follow_convolution, follow_product
from featviz.tracing.program import Program, Step, Value, flatten, scan_counts
from featviz.tracing.shape_axes import (
    follow_broadcast,
    follow_concatenation,
    follow_gather,
    follow_removal,
    follow_reshape,
    follow_same_rank,
    follow_stack,
    follow_tile,
    follow_transpose,
)

# From a step, what is known, and the step's number: the layouts of its outputs.
AxisRule = Callable[[Step, Axes, tuple[int, ...]], list[Layout]]


def follow_axes(program: Program, known: Mapping[Value, Layout]) -> Axes:
    """What the axes of all values that depend on those in `known` descend from.

    A position's axis descends from the image's sides. A unit's is one that weights make, or that carries the image's
    channels. Of a product with weights that sums over positions, while units stay on another axis, the new axis is
    one of positions where others are left (a product over the width), else mixed.

    >>> import jax, numpy as np
    >>> from featviz.tracing.axes import image_layout
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: jax.image.resize(x, (2, 9, 9, 3), "bilinear"), np.zeros((2, 4, 4, 3), np.float32))
    >>> axes = follow_axes(program, {program.inputs[0]: image_layout((2, 4, 4, 3), 3)})
    >>> [factor.role.name for (factor,) in axes.layouts[program.outputs[0]]]
    ['IMAGES', 'PLACES', 'PLACES', 'UNITS']
    """
    axes = Axes(dict(known), set(program.inputs), set(), set(), {})
    _follow(program, axes)
    return axes


def follow_axes_in_scan(step: Step, index: int, body: Program, axes: Axes) -> Axes:
    """The same inside a scan, from the layouts of its inputs; slices lose the axis that they run along.

    Args:
        step: The scan.
        index: Its index in the program that it is in.
        body: The program of its body.
        axes: What is known of the program that it is in.
    """
    constants, carried = scan_counts(step)
    whole = constants + carried
    inner = axes._replace(layouts={}, variable=set(), within=(*axes.within, index))
    for number, (outside, inside) in enumerate(zip(step.inputs, body.inputs, strict=True)):
        if outside in axes.layouts:
            layout = axes.layouts[outside]
            inner.layouts[inside] = layout if number < whole else layout[1:]
        if outside in axes.variable or constants <= number < whole:
            inner.variable.add(inside)
    _follow(body, inner)
    return inner


def _follow(program: Program, axes: Axes) -> None:
    """Adds the layouts of a program's values."""
    layouts, variable = axes.layouts, axes.variable
    for index, step in enumerate(program.steps):
        if not variable.isdisjoint(step.inputs):
            variable.update(step.outputs)
            if layouts.keys().isdisjoint(step.inputs):
                _find_vector(step, axes)
        if not layouts.keys().isdisjoint(step.inputs):
            rule = RULES.get(step.primitive.name, follow_removal if "axes" in step.params else follow_same_rank)
            layouts.update(zip(step.outputs, rule(step, axes, (*axes.within, index)), strict=True))


def _find_vector(step: Step, axes: Axes) -> None:
    """Adds what spreads a vector of weights along one axis of many."""
    if step.primitive.name in ("broadcast_in_dim", "reshape"):
        source, result = step.inputs[0].aval, step.outputs[0].aval
        long = [index for index, size in enumerate(result.shape) if size > 1]
        if len(long) == 1 and result.size == source.size and (source.ndim == 1 or step.inputs[0] in axes.vectors):
            axes.vectors[step.outputs[0]] = long[0]


def _follow_scan(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    body = flatten(step.params["jaxpr"])
    inner = follow_axes_in_scan(step, made[-1], body, axes)
    constants, carried = scan_counts(step)
    whole = constants + carried
    along = [axes.layouts[value][0] for value in step.inputs[whole:] if value in axes.layouts]
    results: list[Layout] = []
    for index, (outer, value) in enumerate(zip(step.outputs, body.outputs, strict=True)):
        shape = outer.aval.shape
        if index < carried:
            results.append(inner.layouts.get(value, unknown(shape)))
        else:
            stacked = along[0] if along else axis(Role.NONE, shape[0], NOWHERE)
            results.append((stacked, *inner.layouts.get(value, unknown(shape[1:]))))
    return results


def _follow_call(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """A function with a gradient of its own; most are elementwise."""
    shapes = {value.aval.shape for value in step.inputs if value in axes.layouts}
    body = step.params.get("call_jaxpr", step.params.get("fun_jaxpr"))
    if body is None or all(output.aval.shape in shapes for output in step.outputs):
        return follow_same_rank(step, axes, made)
    return _follow_body(flatten(body), step.inputs, step.outputs, axes, made)


def _follow_branches(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    ends = [
        _follow_body(flatten(branch), step.inputs[1:], step.outputs, axes, made) for branch in step.params["branches"]
    ]
    return [
        reduce(lambda one, other: tuple(join(*pair, axes.joined) for pair in zip(one, other, strict=True)), each)
        for each in zip(*ends, strict=True)
    ]


def _follow_while(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """A loop of unknown length: what it carries keeps its axes."""
    carried = step.inputs[step.params["cond_nconsts"] + step.params["body_nconsts"] :]
    return [
        axes.layouts.get(value, unknown(output.aval.shape)) for value, output in zip(carried, step.outputs, strict=True)
    ]


def _follow_in_order(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """Each output is an input as it was."""
    return [axes.layouts.get(value, unknown(value.aval.shape)) for value in step.inputs]


def _follow_body(
    body: Program, inputs: tuple[Value, ...], outputs: tuple[Value, ...], axes: Axes, made: tuple[int, ...]
) -> list[Layout]:
    pairs = list(zip(inputs, body.inputs, strict=True))
    inner = axes._replace(
        layouts={inside: axes.layouts[outside] for outside, inside in pairs if outside in axes.layouts},
        variable={inside for outside, inside in pairs if outside in axes.variable},
        within=made,
    )
    _follow(body, inner)
    return [
        inner.layouts.get(value, unknown(output.aval.shape))
        for value, output in zip(body.outputs, outputs, strict=True)
    ]


RULES: dict[str, AxisRule] = {
    "conv_general_dilated": follow_convolution,
    "dot_general": follow_product,
    "transpose": follow_transpose,
    "reshape": follow_reshape,
    "squeeze": follow_removal,
    "broadcast_in_dim": follow_broadcast,
    "concatenate": follow_concatenation,
    "stack": follow_stack,
    "unstack": follow_removal,
    "tile": follow_tile,
    "reduce": follow_removal,
    "gather": follow_gather,
    "optimization_barrier": _follow_in_order,
    "scan": _follow_scan,
    "while": _follow_while,
    "cond": _follow_branches,
    "custom_jvp_call": _follow_call,
    "custom_vjp_call": _follow_call,
}
