"""One unit of a layer alone: of the last product before it only the column that the objective reads."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.tracing.activation_functions import find_activation_functions
from featviz.tracing.program import Program, Step, Value, trace
from featviz.tracing.relu import find_relu

# Steps of which one index of the result needs one index of each array argument.
ELEMENTWISE = {"add", "sub", "mul", "div", "neg", "max", "convert_element_type", "copy"}


def read_single_units(program: Program, positions: Sequence[int]) -> Program:
    """A program of which some outputs have one unit of their last axis, an axis of one element.

    The index of each is a further input, behind the program's own. What lies between an output and a product or a
    convolution is done for that unit alone: the product takes one column of its weights, and its gradient is that
    column times the unit's. Sums of a residual, factors of a norm, ReLUs and rearrangements are passed on the way;
    before any other step, and where a value is needed for something else too, the unit is taken out of the array.

    Args:
      program: a network's program; its outputs are (n, ..., units).
      positions: which of its outputs.

    >>> from featviz.tracing.evaluation import evaluate
    >>> x, w = np.ones((1, 3), np.float32), np.arange(6, dtype=np.float32).reshape(3, 2)
    >>> program, _ = trace(lambda x, w: x @ w + 1.0, x, w)
    >>> single = read_single_units(program, [0])
    >>> evaluate(single, [x, w, np.int32(1)], single.outputs)[0].tolist()
    [[10.0]]
    >>> [step.primitive.name for step in single.steps[-3:]]
    ['dynamic_slice', 'dot_general', 'add']
    """
    outputs, inputs, steps = list(program.outputs), list(program.inputs), list(program.steps)
    for position in positions:
        index = Value(jax.core.ShapedArray((), jnp.int32))
        reading = _Reading(program, index)
        axis = program.outputs[position].aval.ndim - 1
        unit = reading.unit_of(program.outputs[position], axis, is_output=True)
        if not reading.products:
            reading = _Reading(program, index)
            unit = reading.taken(program.outputs[position], axis)
        outputs[position] = unit
        inputs.append(index)
        steps += reading.steps
    return Program(tuple(inputs), tuple(outputs), steps, program.marks)


class _Reading:
    """The steps that compute one unit, and of how many products they compute a column."""

    def __init__(self, program: Program, index: Value) -> None:
        self.program, self.index = program, index
        self.steps: list[Step] = []
        self.products = 0
        self._smooth = {each.output for each in find_activation_functions(program)}

    def unit_of(self, value: Value, axis: int, *, is_output: bool = False) -> Value:
        """The unit of a value, an axis of one element in the place of `axis`."""
        step = self.program.producers.get(value)
        if step is not None and self._is_passed(value, is_output=is_output):
            passed = _PASSES.get(step.primitive.name, _pass_elementwise)(self, step, axis)
            if passed is not None:
                return passed
        return self.taken(value, axis)

    def _is_passed(self, value: Value, *, is_output: bool) -> bool:
        """Whether nothing else needs the value, nor is it an activation function's, which is looked for as a whole."""
        uses = len(self.program.users.get(value, [])) + self.program.outputs.count(value)
        return uses == 1 and value not in self._smooth and value.known is None

    def taken(self, value: Value, axis: int) -> Value:
        """The unit, taken out of the array."""
        shape = _single(value.aval.shape, axis)
        if value.scalar is not None:
            return Value(value.aval.update(shape=shape), np.broadcast_to(np.asarray(value.known).flat[0], shape))
        zero = Value(jax.core.ShapedArray((), jnp.int32), np.int32(0))
        starts = (self.index if other == axis else zero for other in range(len(shape)))
        step = Step(lax.dynamic_slice_p, {"slice_sizes": shape}, (value, *starts), (), "")
        return self.add(step, step.inputs, value.aval.update(shape=shape))

    def add(self, like: Step, inputs: Sequence[Value], aval: Any, **params: Any) -> Value:
        """The result of a further step, like another but for its arguments and the parameters named."""
        output = Value(aval)
        self.steps.append(Step(like.primitive, {**like.params, **params}, tuple(inputs), (output,), like.scope))
        return output


def _single(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return tuple(1 if other == axis else size for other, size in enumerate(shape))


def _result(step: Step, axis: int) -> Any:
    aval = step.outputs[0].aval
    return aval.update(shape=_single(aval.shape, axis))


def _pass_elementwise(reading: _Reading, step: Step, axis: int) -> Value | None:
    if step.primitive.name not in ELEMENTWISE:
        return None
    inputs = [reading.unit_of(value, axis) if value.aval.ndim else value for value in step.inputs]
    return reading.add(step, inputs, _result(step, axis))


def _pass_relu(reading: _Reading, step: Step, axis: int) -> Value | None:
    relu, aval = find_relu(reading.program, step), _result(step, axis)
    if relu is None or relu.upper is not None:
        return None
    # The call holds its shape, so that of one unit is traced anew.
    alone, _ = trace(jax.nn.relu, jax.ShapeDtypeStruct(aval.shape, aval.dtype))
    return reading.add(alone.steps[0], [reading.unit_of(relu.input, axis)], aval)


def _pass_broadcast(reading: _Reading, step: Step, axis: int) -> Value | None:
    operand, places = step.inputs[0], step.params["broadcast_dimensions"]
    if len(step.inputs) > 1:
        return None
    aval = _result(step, axis)
    if axis in places and operand.aval.shape[places.index(axis)] > 1:
        operand = reading.unit_of(operand, places.index(axis))
    return reading.add(step, [operand], aval, shape=aval.shape)


def _pass_transpose(reading: _Reading, step: Step, axis: int) -> Value | None:
    operand = reading.unit_of(step.inputs[0], step.params["permutation"][axis])
    return reading.add(step, [operand], _result(step, axis))


def _pass_reshape(reading: _Reading, step: Step, axis: int) -> Value | None:
    before, after = step.inputs[0].aval.shape, step.outputs[0].aval.shape
    same = (place for place, size in enumerate(before)
            if size == after[axis] and prod(before[:place]) == prod(after[:axis]))  # fmt: skip
    place = next(same, None)
    if place is None or step.params["dimensions"] is not None or len(step.inputs) > 1:
        return None
    aval = _result(step, axis)
    return reading.add(step, [reading.unit_of(step.inputs[0], place)], aval, new_sizes=aval.shape)


def _pass_product(reading: _Reading, step: Step, axis: int) -> Value | None:
    contracted, batch = step.params["dimension_numbers"]
    free = [
        [place for place in range(value.aval.ndim) if place not in (*contracted[side], *batch[side])]
        for side, value in enumerate(step.inputs)
    ]
    # The axes of the result: those of both, then the left side's own, then the right side's own.
    places = [(side, place) for side, own in enumerate(free) for place in own]
    if axis < len(batch[0]):
        return None
    side, place = places[axis - len(batch[0])]
    reading.products += 1
    inputs = [reading.unit_of(value, place) if side == other else value for other, value in enumerate(step.inputs)]
    return reading.add(step, inputs, _result(step, axis))


def _pass_convolution(reading: _Reading, step: Step, axis: int) -> Value | None:
    params = step.params
    numbers = params["dimension_numbers"]
    if axis != numbers.out_spec[1] or params["feature_group_count"] > 1 or params["batch_group_count"] > 1:
        return None
    reading.products += 1
    kernel = reading.unit_of(step.inputs[1], numbers.rhs_spec[0])
    return reading.add(step, [step.inputs[0], kernel], _result(step, axis))


_PASSES: dict[str, Callable[[_Reading, Step, int], Value | None]] = {
    "custom_jvp_call": _pass_relu,
    "broadcast_in_dim": _pass_broadcast,
    "transpose": _pass_transpose,
    "reshape": _pass_reshape,
    "dot_general": _pass_product,
    "conv_general_dilated": _pass_convolution,
}
