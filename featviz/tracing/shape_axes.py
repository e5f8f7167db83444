"""What the axes descend from behind steps that move, remove or resize axes."""

from functools import reduce

from featviz.tracing.axes import Axes
from featviz.tracing.factors import (
    MADE,
    NOWHERE,
    Axis,
    Factor,
    Layout,
    Role,
    axis,
    is_units,
    join,
    newest,
    reshape,
    resized,
    role_of,
    unknown,
)
from featviz.tracing.program import Step


def follow_same_rank(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """Elementwise steps, slices, windows, sorts and the like: an axis is that of the inputs of the same rank."""
    varying = [(value.aval.shape, axes.layouts[value]) for value in step.inputs if value in axes.layouts]
    along = [axes.vectors[value] for value in step.inputs if value in axes.vectors]
    layouts = [_join_ranked(varying, output.aval.shape, axes) for output in step.outputs]
    return [_renewed(layout, along[0], made) for layout in layouts] if along else layouts


def _renewed(layout: Layout, along: int, made: tuple[int, ...]) -> Layout:
    """The layout behind a scale or bias of each unit, as a normalization ends in: these are the units again.

    They had been made before others that are there now, as of a token mixer or of a product with learned maps.
    """
    others = [factor for index, factors in enumerate(layout) if index != along for factor in factors]
    last = max((factor.made for factor in others if factor.role & MADE), default=())
    if along >= len(layout) or not is_units(layout[along]) or newest(layout[along])[0] >= last:
        return layout
    whole = tuple(factor._replace(made=made) for factor in layout[along])
    return (*layout[:along], whole, *layout[along + 1 :])


def _join_ranked(varying: list[tuple[tuple[int, ...], Layout]], shape: tuple[int, ...], axes: Axes) -> Layout:
    """The layout of an array of which each axis is that of the arrays that have it, of the same rank and size."""
    ranked = [(before, layout) for before, layout in varying if len(before) == len(shape)]
    if not ranked:
        return unknown(shape)
    if all(before == shape and layout == ranked[0][1] for before, layout in ranked):
        return ranked[0][1]
    result: list[Axis] = []
    for index, size in enumerate(shape):
        found = [layout[index] for before, layout in ranked if before[index] == size]
        joined = reduce(lambda one, other: join(one, other, axes.joined), found) if found else None
        result.append(resized(ranked[0][1][index], size) if joined is None else joined)
    return tuple(result)


def follow_removal(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """Sums over axes and their like, squeezes, and arrays taken apart along an axis."""
    params = step.params
    removed = (
        params["axes"] if "axes" in params else params["dimensions"] if "dimensions" in params else (params["axis"],)
    )
    (layout, *_) = (axes.layouts[value] for value in step.inputs if value in axes.layouts)
    return [tuple(factors for index, factors in enumerate(layout) if index not in removed)] * len(step.outputs)


def follow_transpose(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """A transpose."""
    layout = axes.layouts[step.inputs[0]]
    return [tuple(layout[index] for index in step.params["permutation"])]


def follow_reshape(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """A reshape."""
    return [reshape(axes.layouts[step.inputs[0]], step.outputs[0].aval.shape)]


def follow_broadcast(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """A broadcast; new axes descend from nothing."""
    shape, layout = step.outputs[0].aval.shape, axes.layouts[step.inputs[0]]
    known = dict(zip(step.params["broadcast_dimensions"], layout, strict=True))
    return [
        tuple(
            resized(known[i], size) if known.get(i) else axis(Role.NONE, size, NOWHERE) for i, size in enumerate(shape)
        )
    ]


def follow_concatenation(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """Arrays behind each other: batches of images are copies of the images, major to them."""
    along, shape = step.params["dimension"], step.outputs[0].aval.shape
    layouts = [axes.layouts[value] for value in step.inputs if value in axes.layouts]
    result = list(layouts[0])
    for layout in layouts[1:]:
        result = [
            left if index == along else join(left, right, axes.joined)
            for index, (left, right) in enumerate(zip(result, layout, strict=True))
        ]
    first, count = layouts[0][along], len(step.inputs)
    if len(layouts) == count and role_of(first) & Role.IMAGES and all(layout[along] == first for layout in layouts):
        result[along] = (Factor(Role.NONE, count), *first)
    else:
        whole = tuple(factor for layout in layouts for factor in layout[along])
        alone = len(layouts) == count == 1
        result[along] = first if alone else axis(role_of(whole), shape[along], newest(whole))
    return [tuple(result)]


def follow_stack(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """Arrays side by side on a new axis."""
    along, shape = step.params["axis"], step.outputs[0].aval.shape
    alike = [(value.aval.shape, axes.layouts[value]) for value in step.inputs if value in axes.layouts]
    layout = _join_ranked(alike, (*shape[:along], *shape[along + 1 :]), axes)
    return [(*layout[:along], axis(Role.NONE, shape[along], NOWHERE), *layout[along:])]


def follow_tile(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """An array repeated along its axes."""
    layout = axes.layouts[step.inputs[0]]
    return [
        tuple(
            (*axis(Role.NONE, count, NOWHERE), *each) for count, each in zip(step.params["reps"], layout, strict=True)
        )
    ]


def follow_gather(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """Indexing: axes that are indexed are what they were, those kept as well; rows of a table of weights are units."""
    numbers, (operand, indices) = step.params["dimension_numbers"], step.inputs[:2]
    shape, sizes = step.outputs[0].aval.shape, step.params["slice_sizes"]
    layout = axes.layouts.get(operand)
    indexed = axes.layouts.get(indices, ((),) * len(indices.aval.shape))
    kept = [
        index
        for index in range(len(operand.aval.shape))
        if index not in (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    ]
    result: list[Axis] = [()] * len(shape)
    for position, index in zip(numbers.offset_dims, kept, strict=True):
        result[position] = (
            axis(Role.UNITS, sizes[index], (made, ())) if layout is None else resized(layout[index], sizes[index])
        )
    collapsed = tuple(
        factor for index in numbers.collapsed_slice_dims for factor in (layout[index] if layout is not None else ())
    )
    images = next((factor for factor in collapsed if factor.role == Role.IMAGES), None)
    role = role_of(tuple(factor for factor in collapsed if factor is not images))
    batching = dict(zip(numbers.start_indices_batching_dims, numbers.operand_batching_dims, strict=True))
    for index, position in enumerate(index for index in range(len(shape)) if index not in numbers.offset_dims):
        if index in batching:
            factors = layout[batching[index]] if layout is not None else ()
        elif images is not None and shape[position] == images.size:
            # One row of indices for each image.
            factors, images = (images,), None
        elif images is not None and collapsed[0] is images and not shape[position] % images.size:
            # Rows of a table of all images' positions, as numbered image after image.
            factors, images = (images, *axis(role, shape[position] // images.size, newest(collapsed))), None
        else:
            factors = axis(role, shape[position], newest(collapsed))
        result[position] = join(
            resized(factors, shape[position]), resized(indexed[index], shape[position]), axes.joined
        )
    return [tuple(result)]
