"""Which axis of an activation holds its units, followed through the traced program from where it is known."""

from collections.abc import Mapping, Sequence

import numpy as np

from featviz.tracing.program import Program, Step, Value, flatten

# Of every value that depends on the images: the axis, or None where the program does not determine it.
Axes = dict[Value, int | None]


def unit_axes(program: Program, known: Mapping[Value, int | None]) -> Axes:
    """The axis of the units of each value that depends on those in `known`, None where it is undetermined.

    A convolution says which axis its features are on. In a product with weights, the weights' free axis becomes the
    axis of the units. Transposes, reshapes that keep the axis, sums over other axes and steps that keep their input's
    shape pass it on. So a network that takes channels first, and turns to tokens later, needs no declaration.
    """
    axes: Axes = dict(known)
    for step in program.steps:
        if not axes.keys().isdisjoint(step.inputs):
            axes |= {**dict.fromkeys(step.outputs), **_output_axes(step, axes)}
    return axes


def unit_axes_in_scan(step: Step, body: Program, axes: Mapping[Value, int | None]) -> Axes:
    """The same inside a scan, from the axes of its inputs; slices lose the axis that they run along."""
    whole = step.params["num_consts"] + step.params["num_carry"]
    known: Axes = {}
    for index, (outer, inner) in enumerate(zip(step.inputs, body.inputs, strict=True)):
        if outer in axes:
            axis = axes[outer]
            shifted = axis if axis is None or index < whole else axis - 1
            known[inner] = None if shifted == -1 else shifted
    return unit_axes(body, known)


def _output_axes(step: Step, axes: Axes) -> Axes:
    """The axes of one step's outputs."""
    name, params, (output, *_) = step.primitive.name, step.params, step.outputs
    if name == "conv_general_dilated":
        return {output: params["dimension_numbers"].out_spec[1]}
    if name == "dot_general":
        return {output: _product_axis(step, axes)}
    if name == "scan":
        return _scan_axes(step, axes)
    first, axis = next(((value, axes[value]) for value in step.inputs if axes.get(value) is not None), (None, None))
    if first is None or axis is None:
        return {}
    shape = first.aval.shape
    if name == "transpose":
        return {output: params["permutation"].index(axis)}
    if name == "broadcast_in_dim":
        return {output: params["broadcast_dimensions"][axis]}
    if name == "reshape":
        return {output: _reshaped_axis(shape, output.aval.shape, axis)}
    if name == "squeeze" or (name.startswith(("reduce_", "arg")) and "axes" in params):
        removed = params["dimensions"] if name == "squeeze" else params["axes"]
        return {} if axis in removed else {output: axis - sum(other < axis for other in removed)}
    if name == "gather":
        dimensions = params["dimension_numbers"]
        removed = {*dimensions.collapsed_slice_dims, *dimensions.operand_batching_dims}
        kept = [other for other in range(len(shape)) if other not in removed]
        complete = axis in kept and params["slice_sizes"][axis] == shape[axis]
        return {output: dimensions.offset_dims[kept.index(axis)]} if complete and first is step.inputs[0] else {}
    return {value: axis for value in step.outputs if len(value.aval.shape) == len(shape)}


def _product_axis(step: Step, axes: Axes) -> int | None:
    """Of a product: the last free axis of the weights, or where both factors vary, that of the right one's units."""
    left, right = step.inputs
    (left_summed, right_summed), (left_batch, right_batch) = step.params["dimension_numbers"]
    batch = len(left_batch)
    left_free = [axis for axis in range(len(left.aval.shape)) if axis not in (*left_summed, *left_batch)]
    right_free = [axis for axis in range(len(right.aval.shape)) if axis not in (*right_summed, *right_batch)]
    if right not in axes:
        return batch + len(left_free) + len(right_free) - 1 if right_free else None
    if left not in axes:
        return batch + len(left_free) - 1 if left_free else None
    axis = axes.get(right)
    return batch + len(left_free) + right_free.index(axis) if axis in right_free else None


def _reshaped_axis(old: Sequence[int], new: Sequence[int], axis: int) -> int | None:
    """The position of an axis after a reshape that keeps it, else None."""
    before = int(np.prod(old[:axis]))
    for position, size in enumerate(new):
        if size == old[axis] and int(np.prod(new[:position])) == before:
            return position
    return None


def _scan_axes(step: Step, axes: Axes) -> Axes:
    body = flatten(step.params["jaxpr"])
    inside = unit_axes_in_scan(step, body, axes)
    carried = step.params["num_carry"]
    outside: Axes = {}
    for index, (outer, inner) in enumerate(zip(step.outputs, body.outputs, strict=True)):
        axis = inside.get(inner)
        outside[outer] = axis if axis is None or index < carried else axis + 1
    return outside
