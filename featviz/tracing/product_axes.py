"""What the axes descend from behind convolutions and products, where units are made."""

from collections.abc import Iterable

from featviz.tracing.axes import Axes
from featviz.tracing.factors import (
    MADE,
    NOWHERE,
    Axis,
    Factor,
    Layout,
    Role,
    axis,
    holds_places,
    is_units,
    newest,
    resized,
    role_of,
)
from featviz.tracing.program import Step


def follow_convolution(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """A convolution: its features are units, unless it mixes positions, or filters units as if they were positions."""
    numbers, groups = step.params["dimension_numbers"], step.params["feature_group_count"]
    image, kernel = step.inputs
    shape = step.outputs[0].aval.shape
    before = axes.layouts.get(image, ((),) * len(shape))
    batch, features, *sides = (before[index] for index in numbers.lhs_spec)
    batch_out, features_out, *sides_out = numbers.out_spec
    result: list[Axis] = [()] * len(shape)
    result[batch_out] = resized(batch, shape[batch_out])
    for position, side in zip(sides_out, sides, strict=True):
        role = role_of(side)
        is_place = not role & ~Role.MIXED or role & Role.PLACES
        result[position] = axis(Role.PLACES, shape[position], NOWHERE) if is_place else resized(side, shape[position])
    kept = [result[batch_out], *(result[index] for index in sides_out)]
    count, channels = shape[features_out], image.aval.shape[numbers.lhs_spec[1]]
    axes.features.update(factor.origin for factor in features if factor.role & MADE)
    result[features_out] = _features(axes, features, kept, count, channels, groups, made, kernel in axes.variable)
    if kernel in axes.layouts and image not in axes.layouts:
        result[features_out] = axes.layouts[kernel][numbers.rhs_spec[0]]
    return [tuple(result)]


def _features(
    axes: Axes,
    features: Axis,
    kept: Iterable[Axis],
    count: int,
    channels: int,
    groups: int,
    made: tuple[int, ...],
    weights: bool,
) -> Axis:
    """The axis of a convolution's features."""
    images = next((factor for factor in features if factor.role == Role.IMAGES), None)
    if images is not None and features[0] is images and not groups % images.size:
        # Each image has weights of its own.
        return (images, *axis(Role.UNITS, count // images.size, (made, ())))
    if channels == count == groups and channels > 1:
        return features
    # Of units new ones are made, also where those lay elsewhere too, as frames of which an image's channels consist.
    if is_units(features) or not any(role_of(each) & Role.UNITS and not role_of(each) & Role.PLACES for each in kept):
        return axis(Role.UNITS, count, (made, ()))
    # Units lie elsewhere: a filter along them, or on each of them.
    if channels == 1 or not role_of(features):
        return () if count == 1 else axis(Role.UNITS, count, (made, ()))
    return _new_axis(role_of(features), kept, count, made, weights)


def follow_product(step: Step, axes: Axes, made: tuple[int, ...]) -> list[Layout]:
    """A product: free axes are what they were, those of weights are units, unless it mixes positions."""
    summed, batched = step.params["dimension_numbers"]
    layouts = [axes.layouts.get(value) for value in step.inputs]
    free = [
        [index for index in range(len(value.aval.shape)) if index not in (*summed[side], *batched[side])]
        for side, value in enumerate(step.inputs)
    ]
    left, right = layouts
    both = [
        layout[index] if layout is not None else ()
        for layout, indices in zip(layouts, batched, strict=True)
        for index in indices
    ]
    count = len(batched[0])
    result = [one or other for one, other in zip(both[:count], both[count:], strict=True)]
    if left is not None and right is not None:
        sides = [[layout[index] for index in indices] for layout, indices in zip((left, right), free, strict=True)]
        return [(*result, *_free_of_both(sides, made))]
    varying = 0 if left is not None else 1
    layout = layouts[varying]
    assert layout is not None
    kept = [layout[index] for index in free[varying]]
    role = role_of(tuple(factor for index in summed[varying] for factor in layout[index]))
    pure = any(is_units(layout[index]) for index in summed[varying])
    sizes = [step.inputs[1 - varying].aval.shape[index] for index in free[1 - varying]]
    weights = step.inputs[1 - varying] in axes.variable
    remaining = [*result, *kept]
    # What weights make of nothing, or of one number, is new; a constant only spreads it.
    mixing = not pure and any(map(is_units, remaining)) and (bool(role) or not weights)
    new = [
        _new_axis(role, remaining, size, made, weights) if mixing else axis(Role.UNITS, size, (made, (index,)))
        for index, size in enumerate(sizes)
    ]
    return [(*result, *kept, *new) if varying == 0 else (*result, *new, *kept)]


def _new_axis(role: Role, remaining: Iterable[Axis], size: int, made: tuple[int, ...], weights: bool) -> Axis:
    """What is made of positions while units stay on another axis: positions again, or mixed."""
    if weights and not any(map(holds_places, remaining)):
        return axis(Role.MIXED, size, (made, ()))
    return axis(Role.PLACES if role & (Role.PLACES | Role.MIXED) else Role.NONE, size, NOWHERE)


def _free_of_both(sides: list[list[Axis]], made: tuple[int, ...]) -> list[Axis]:
    """The free axes of a product of two varying values, as in attention.

    Attention's values have units, which are the result's; those of the other, such as learned queries that are among
    the scores, are older ones of the result. Scores compare positions with positions.
    """
    if not any(is_units(each) for side in sides for each in side):
        return [tuple(_made_here(factor, made, Role.PLACES) for factor in each) for side in sides for each in side]
    ages = [max((newest(each) for each in side if is_units(each)), default=None) for side in sides]
    if ages[0] is None or ages[1] is None:
        return [*sides[0], *sides[1]]
    values = 0 if ages[0] < ages[1] else 1
    return [
        tuple(_made_here(factor, made, Role.UNITS) if index == values else factor for factor in each)
        for index, side in enumerate(sides)
        for each in side
    ]


def _made_here(factor: Factor, made: tuple[int, ...], role: Role) -> Factor:
    return factor._replace(made=made) if factor.role == role else factor
