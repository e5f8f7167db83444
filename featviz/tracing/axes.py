"""Which axis of an activation holds its units: followed through the traced program from where it is known."""

from collections.abc import Mapping, Sequence

import numpy as np

from featviz.tracing.program import Program, Step, Value, flatten

# Of every value that depends on the images: the axis, or None where the program does not tell.
Axes = dict[Value, int | None]


def unit_axes(program: Program, known: Mapping[Value, int | None]) -> Axes:
    """The axis of the units of each value that depends on those `known`, or None where the program does not tell.

    A convolution says which axis its features are; a product with weights makes the weights' axis the units'; a
    transpose, a reshape that leaves the axis whole, a sum over others, and anything that keeps its input's shape carry
    it on. So a network that takes channels first, and turns to tokens later, needs no words about it.
    """
    axes: Axes = dict(known)
    for step in program.steps:
        if not axes.keys().isdisjoint(step.inputs):
            axes |= {**dict.fromkeys(step.outputs), **_after(step, axes)}
    return axes


def inside(step: Step, body: Program, axes: Mapping[Value, int | None]) -> Axes:
    """The same within a scan, from the axes of what goes into it; slices lose the axis they run along."""
    fixed = step.params["num_consts"] + step.params["num_carry"]
    known: Axes = {}
    for number, (outer, inner) in enumerate(zip(step.inputs, body.inputs, strict=True)):
        if outer in axes:
            axis = axes[outer]
            shifted = axis if axis is None or number < fixed else axis - 1
            known[inner] = None if shifted == -1 else shifted
    return unit_axes(body, known)


def _after(step: Step, axes: Axes) -> Axes:
    """The axes of one step's outputs."""
    name, params, (output, *_) = step.primitive.name, step.params, step.outputs
    if name == "conv_general_dilated":
        return {output: params["dimension_numbers"].out_spec[1]}
    if name == "dot_general":
        return {output: _product(step, axes)}
    if name == "scan":
        return _scanned(step, axes)
    first, axis = next(((value, axes[value]) for value in step.inputs if axes.get(value) is not None), (None, None))
    if first is None or axis is None:
        return {}
    old = first.aval.shape
    if name == "transpose":
        return {output: params["permutation"].index(axis)}
    if name == "broadcast_in_dim":
        return {output: params["broadcast_dimensions"][axis]}
    if name == "reshape":
        return {output: _reshaped(old, output.aval.shape, axis)}
    if name == "squeeze" or (name.startswith(("reduce_", "arg")) and "axes" in params):
        gone = params["dimensions"] if name == "squeeze" else params["axes"]
        return {} if axis in gone else {output: axis - sum(each < axis for each in gone)}
    if name == "gather":
        numbers = params["dimension_numbers"]
        gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
        kept = [each for each in range(len(old)) if each not in gone]
        whole = axis in kept and params["slice_sizes"][axis] == old[axis]
        return {output: numbers.offset_dims[kept.index(axis)]} if whole and first is step.inputs[0] else {}
    return {value: axis for value in step.outputs if len(value.aval.shape) == len(old)}


def _product(step: Step, axes: Axes) -> int | None:
    """Of a product: the last of the weights' own axes, or that of the right factor's units where both vary."""
    left, right = step.inputs
    (left_summed, right_summed), (left_batch, right_batch) = step.params["dimension_numbers"]
    batch = len(left_batch)
    left_free = [each for each in range(len(left.aval.shape)) if each not in (*left_summed, *left_batch)]
    right_free = [each for each in range(len(right.aval.shape)) if each not in (*right_summed, *right_batch)]
    if right not in axes:
        return batch + len(left_free) + len(right_free) - 1 if right_free else None
    if left not in axes:
        return batch + len(left_free) - 1 if left_free else None
    axis = axes.get(right)
    return batch + len(left_free) + right_free.index(axis) if axis in right_free else None


def _reshaped(old: Sequence[int], new: Sequence[int], axis: int) -> int | None:
    """Where an axis goes that a reshape leaves whole."""
    before = int(np.prod(old[:axis]))
    for number, size in enumerate(new):
        if size == old[axis] and int(np.prod(new[:number])) == before:
            return number
    return None


def _scanned(step: Step, axes: Axes) -> Axes:
    body = flatten(step.params["jaxpr"])
    found = inside(step, body, axes)
    carried = step.params["num_carry"]
    axes = {}
    for number, (outer, inner) in enumerate(zip(step.outputs, body.outputs, strict=True)):
        axis = found.get(inner)
        axes[outer] = axis if axis is None or number < carried else axis + 1
    return axes
