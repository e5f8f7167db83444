"""Where each operation of JAX leaves the axis of the images, and when it may mix one image with another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from featviz.tracing.batch_place import Batch, ImagesMeetError, reshaped
from featviz.tracing.program import Step, Value

# Operations on one element of each input, all of one shape; and those that pass their inputs on.
ELEMENTWISE = frozenset({
    "abs", "acos", "acosh", "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil",
    "clamp", "clz", "complex", "conj", "convert_element_type", "copy", "copy_p", "cos", "cosh", "digamma", "div", "eq",
    "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge", "gt", "imag", "integer_pow", "is_finite", "le",
    "lgamma", "log", "log1p", "logistic", "lt", "max", "min", "mul", "name", "ne", "neg", "nextafter", "not", "or",
    "population_count", "pow", "real", "reduce_precision", "rem", "round", "rsqrt", "select_n", "shift_left",
    "shift_right_arithmetic", "shift_right_logical", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient", "sub",
    "tan", "tanh", "to_edtype", "xor",
})  # fmt: skip


Places = dict[Value, Batch]
# Raises ImagesMeetError unless a value is the same for all images that lie at a place.
RequireUniform = Callable[[Value, Batch], None]


class _Context(NamedTuple):
    """A step, the places of its inputs (None of those that do not depend on images), and what it needs to decide."""

    step: Step
    places: tuple[Batch | None, ...]
    image_count: int
    require_uniform: RequireUniform

    @property
    def params(self) -> dict[str, Any]:
        return self.step.params

    def shape(self, index: int) -> tuple[int, ...]:
        return tuple(self.step.inputs[index].aval.shape)

    def only(self) -> Batch:
        """The place of the first input, the only one that depends on images."""
        first, *others = self.places
        if first is None or any(others):
            raise ImagesMeetError
        return first

    def refuse_parts(self, place: Batch, size: int, *, index: int = 0) -> None:
        """Refuses what takes a part of the axis of the images."""
        if self.shape(index)[place.axis] != size:
            raise ImagesMeetError

    def joined(self, indices: Sequence[int]) -> Batch:
        """The one place of several inputs; those that do not depend on images must be the same for all."""
        found = {place for index in indices if (place := self.places[index]) is not None}
        if len(found) != 1:
            raise ImagesMeetError
        (place,) = found
        for index in indices:
            if self.places[index] is None:
                self.require_uniform(self.step.inputs[index], place)
        return place


def _reduce(context: _Context) -> Batch:
    place, params = context.only(), context.params
    axes = params["axes"] if "axes" in params else params["dimensions"] if "dimensions" in params else (params["axis"],)
    if place.axis in axes:
        raise ImagesMeetError
    return place._replace(axis=place.axis - sum(axis < place.axis for axis in axes))


def _transpose(context: _Context) -> Batch:
    place = context.only()
    return place._replace(axis=context.params["permutation"].index(place.axis))


def _broadcast(context: _Context) -> Batch:
    place = context.only()
    return place._replace(axis=context.params["broadcast_dimensions"][place.axis])


def _reshape(context: _Context) -> Batch:
    if context.params.get("dimensions") is not None:
        raise ImagesMeetError
    return reshaped(context.shape(0), context.params["new_sizes"], context.only(), context.image_count)


def _along(name: str) -> Callable[[_Context], Batch]:
    """Of operations along one axis, or some, that are named by a parameter."""

    def rule(context: _Context) -> Batch:
        place, axes = context.joined(range(len(context.places))), context.params[name]
        if place.axis in (axes if isinstance(axes, Sequence) else (axes,)):
            raise ImagesMeetError
        return place

    return rule


def _concatenate(context: _Context) -> Batch:
    place = context.joined([index for index, each in enumerate(context.places) if each is not None])
    if context.params["dimension"] == place.axis:
        raise ImagesMeetError
    return context.joined(range(len(context.places)))


def _stack(context: _Context) -> Batch:
    place, axis = context.joined(range(len(context.places))), context.params["axis"]
    return place._replace(axis=place.axis + (axis <= place.axis))


def _tile(context: _Context) -> Batch:
    place = context.only()
    if context.params["reps"][place.axis] != 1:
        raise ImagesMeetError
    return place


def _slice(context: _Context) -> Batch:
    place, params = context.only(), context.params
    context.refuse_parts(place, params["limit_indices"][place.axis] - params["start_indices"][place.axis])
    return place


def _pad(context: _Context) -> Batch:
    place = context.only()
    if tuple(context.params["padding_config"][place.axis]) != (0, 0, 0):
        raise ImagesMeetError
    return place


def _fft(context: _Context) -> Batch:
    place = context.only()
    if place.axis >= len(context.shape(0)) - len(context.params["fft_lengths"]):
        raise ImagesMeetError
    return place


def _matrices(context: _Context) -> Batch:
    """Operations on the matrices of the last two axes."""
    place = context.joined(range(len(context.places)))
    if place.axis >= len(context.shape(0)) - 2:
        raise ImagesMeetError
    return place


def _windows(context: _Context) -> Batch:
    place, params = context.only(), context.params
    sizes = [params[name][place.axis] for name in ("window_dimensions", "window_strides") if name in params]
    sizes += [params["base_dilation"][place.axis]] if "base_dilation" in params else []
    if any(size != 1 for size in sizes) or any(params["padding"][place.axis]):
        raise ImagesMeetError
    return place


def _convolve(context: _Context) -> Batch:
    place, params = context.only(), context.params
    numbers = params["dimension_numbers"]
    if place.axis != numbers.lhs_spec[0] or params["batch_group_count"] != 1:
        raise ImagesMeetError
    return place._replace(axis=numbers.out_spec[0])


def _multiply(context: _Context) -> Batch:
    summed, batch = context.params["dimension_numbers"]
    found: set[Batch] = set()
    free_before = 0
    for index in (0, 1):
        place, rank = context.places[index], len(context.shape(index))
        free = [axis for axis in range(rank) if axis not in (*summed[index], *batch[index])]
        if place is not None:
            if place.axis in batch[index]:
                position = tuple(batch[index]).index(place.axis)
                if context.places[1 - index] is None:
                    other = place._replace(axis=batch[1 - index][position])
                    context.require_uniform(context.step.inputs[1 - index], other)
            elif place.axis in free:
                position = len(batch[0]) + free_before + free.index(place.axis)
            else:
                raise ImagesMeetError
            found.add(place._replace(axis=position))
        free_before = len(free)
    if len(found) != 1:
        raise ImagesMeetError
    return found.pop()


def _gather(context: _Context) -> Batch:
    numbers, sizes = context.params["dimension_numbers"], context.params["slice_sizes"]
    operand, indices = context.places
    result = range(len(context.step.outputs[0].aval.shape))
    batch = [axis for axis in result if axis not in numbers.offset_dims]
    if operand is None and indices is not None:
        return indices._replace(axis=batch[indices.axis])
    if operand is not None and operand.axis in numbers.operand_batching_dims:
        position = numbers.operand_batching_dims.index(operand.axis)
        other = operand._replace(axis=numbers.start_indices_batching_dims[position])
        if indices is None:
            context.require_uniform(context.step.inputs[1], other)
        elif indices != other:
            raise ImagesMeetError
        return operand._replace(axis=batch[other.axis])
    place = context.only()
    removed = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    kept = [axis for axis in range(len(context.shape(0))) if axis not in removed]
    context.refuse_parts(place, sizes[place.axis])
    if place.axis in removed:
        raise ImagesMeetError
    return place._replace(axis=numbers.offset_dims[kept.index(place.axis)])


def _scatter(context: _Context) -> Batch:
    numbers = context.params["dimension_numbers"]
    operand, indices, updates = context.places
    removed = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    kept = [axis for axis in range(len(context.shape(0))) if axis not in removed]
    if updates is not None and updates.axis in numbers.update_window_dims:
        place = updates._replace(axis=kept[numbers.update_window_dims.index(updates.axis)])
    elif operand is not None:
        place = operand
    else:
        raise ImagesMeetError
    if operand not in (None, place) or indices is not None or place.axis not in kept:
        raise ImagesMeetError
    if operand is None:
        context.require_uniform(context.step.inputs[0], place)
    other = place._replace(axis=numbers.update_window_dims[kept.index(place.axis)])
    context.refuse_parts(place, context.shape(2)[other.axis])
    if updates is None:
        context.require_uniform(context.step.inputs[2], other)
    return place


def _dynamic_slice(context: _Context) -> Batch:
    place = context.only()
    context.refuse_parts(place, context.params["slice_sizes"][place.axis])
    return place


def _dynamic_update(context: _Context) -> Batch:
    if any(context.places[2:]):
        raise ImagesMeetError
    place = context.joined((0, 1))
    context.refuse_parts(place, context.shape(1)[place.axis])
    return place


_RULES: Mapping[str, Callable[[_Context], Batch]] = {
    **dict.fromkeys(("reduce", "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or",
                     "reduce_xor", "argmax", "argmin", "squeeze", "unstack"), _reduce),
    **dict.fromkeys(("reduce_window", "reduce_window_sum", "reduce_window_max", "reduce_window_min"), _windows),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "split", "top_k"), _along("axis")),
    **dict.fromkeys(("cholesky", "eigh", "svd", "qr", "lu", "triangular_solve"), _matrices),
    **dict.fromkeys(("scatter", "scatter-add", "scatter_add", "scatter_mul", "scatter-mul", "scatter_min",
                     "scatter_max", "scatter-min", "scatter-max"), _scatter),
    "sort": _along("dimension"), "rev": _along("dimensions"), "concatenate": _concatenate, "transpose": _transpose,
    "broadcast_in_dim": _broadcast, "reshape": _reshape, "slice": _slice, "pad": _pad, "fft": _fft,
    "conv_general_dilated": _convolve, "dot_general": _multiply, "gather": _gather, "stack": _stack, "tile": _tile,
    "dynamic_slice": _dynamic_slice, "dynamic_update_slice": _dynamic_update,
}  # fmt: skip


def follow_step(step: Step, places: Mapping[Value, Batch], count: int, require_uniform: RequireUniform) -> Places:
    """The places of one step's outputs.

    Raises:
        ImagesMeetError: If the step may mix images, or its rule is not known.
    """
    rule = _RULES.get(step.primitive.name)
    if rule is None:
        raise ImagesMeetError
    context = _Context(step, tuple(places.get(value) for value in step.inputs), count, require_uniform)
    return dict.fromkeys(step.outputs, rule(context))
