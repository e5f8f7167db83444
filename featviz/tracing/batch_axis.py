"""Which axis of each value of a traced network holds the images, and whether a step may mix one image with another."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from featviz.tracing.batch_axis_rules import ELEMENTWISE, Places, follow_step
from featviz.tracing.batch_constants import is_random, is_uniform
from featviz.tracing.batch_place import Batch, ImagesMeetError
from featviz.tracing.program import Program, Step, Value, flatten, scan_counts


class Mixing(NamedTuple):
    """A step in which an image may meet its neighbors.

    Attributes:
        step: The step.
        certain: Whether it does: random numbers differ from image to image. Otherwise only a run can tell.
    """

    step: Step
    certain: bool


def find_mixing(program: Program, images: Value, count: int) -> Mixing | None:
    """The first step in which one image's values may depend on another image, None where there is none.

    The axis of the images is followed from step to step. Steps that sum, sort, slice or convolve along it, and
    operations whose rule is not known, may mix images; elementwise steps do not, unless a constant differs from image
    to image. An output whose images are not on its first axis counts too.

    Args:
        program: The traced network.
        images: Its images, on whose first axis they are.
        count: The number of images that it was traced for, a prime number.

    >>> from featviz.tracing.program import trace
    >>> import jax.numpy as jnp, numpy as np
    >>> norm, _ = trace(lambda x: x - jnp.mean(x, 1, keepdims=True), np.zeros((2, 5), np.float32))
    >>> find_mixing(norm, norm.inputs[0], 2)
    >>> norm, _ = trace(lambda x: x - jnp.mean(x, 0, keepdims=True), np.zeros((2, 5), np.float32))
    >>> find_mixing(norm, norm.inputs[0], 2).step.primitive.name
    'reduce_sum'
    """
    places: Places = {images: Batch(0)}
    mixing = _follow(program, places, count)
    if mixing is None:
        moved = [value for value in program.outputs if places.get(value, Batch(0)) != Batch(0)]
        return Mixing(program.producers[moved[0]], certain=False) if moved else None
    return mixing


def _follow(program: Program, places: Places, count: int) -> Mixing | None:
    """Fills in the places of a program's values, up to the first step that may mix images."""
    for step in program.steps:
        if places.keys().isdisjoint(step.inputs):
            continue
        name = step.primitive.name
        try:
            if name in NESTED:
                places |= NESTED[name](program, step, places, count)
            elif name in ELEMENTWISE:
                places |= _elementwise(program, step, places)
            else:
                places |= follow_step(step, places, count, partial(_require_uniform, program))
        except ImagesMeetError as error:
            return Mixing(step, error.certain)
    return None


def _elementwise(program: Program, step: Step, places: Mapping[Value, Batch]) -> Places:
    """A step of one element of each input; scalars aside, shapes are equal."""
    found = {places[value] for value in step.inputs if value in places}
    if len(found) > 1:
        raise ImagesMeetError
    (place,) = found
    for value in step.inputs:
        if value not in places and value.aval.shape:
            _require_uniform(program, value, place)
    return dict.fromkeys(step.outputs, place)


def _require_uniform(program: Program, value: Value, place: Batch) -> None:
    if value.aval.shape[place.axis] == 1:
        return
    if place.inner != 1 or not is_uniform(program, value, place.axis):
        raise ImagesMeetError(certain=is_random(program, value))


def _follow_body(body: Program, places: Mapping[int, Batch], count: int) -> list[Batch | None]:
    """The places of the outputs of a step's body, from those of its inputs by index."""
    inside: Places = {body.inputs[index]: place for index, place in places.items()}
    mixing = _follow(body, inside, count)
    if mixing is not None:
        raise ImagesMeetError(certain=mixing.certain)
    return [inside.get(value) for value in body.outputs]


def _call(program: Program, step: Step, places: Mapping[Value, Batch], count: int) -> Places:
    """A function with a gradient of its own."""
    given = {index: places[value] for index, value in enumerate(step.inputs) if value in places}
    return _kept(step, _follow_body(flatten(step.params["call_jaxpr"]), given, count))


def _cond(program: Program, step: Step, places: Mapping[Value, Batch], count: int) -> Places:
    """Branches of which a value that is the same for all images selects one."""
    given = {index - 1: places[value] for index, value in enumerate(step.inputs) if value in places}
    if -1 in given:
        raise ImagesMeetError
    outputs = [_follow_body(flatten(branch), given, count) for branch in step.params["branches"]]
    if any(other != outputs[0] for other in outputs):
        raise ImagesMeetError
    return _kept(step, outputs[0])


def _scan(program: Program, step: Step, places: Mapping[Value, Batch], count: int) -> Places:
    """A loop; what it carries has its images where they were at the start."""
    constants, carried = scan_counts(step)
    body, given = flatten(step.params["jaxpr"]), {}
    for index, value in enumerate(step.inputs):
        if value in places:
            sliced = index >= constants + carried
            if sliced and places[value].axis == 0:
                raise ImagesMeetError
            given[index] = places[value]._replace(axis=places[value].axis - sliced)
    while True:
        outputs = _follow_body(body, given, count)
        added = {
            constants + index: place
            for index, place in enumerate(outputs[:carried])
            if place is not None and given.get(constants + index) != place
        }
        if not added:
            break
        for index, place in added.items():
            if index in given:
                raise ImagesMeetError
            _require_uniform(program, step.inputs[index], place)
        given |= added
    stacked = [place and place._replace(axis=place.axis + 1) for place in outputs[carried:]]
    return _kept(step, [*outputs[:carried], *stacked])


def _kept(step: Step, outputs: list[Batch | None]) -> Places:
    return {value: place for value, place in zip(step.outputs, outputs, strict=True) if place is not None}


NESTED: Mapping[str, Callable[[Program, Step, Mapping[Value, Batch], int], Places]] = {
    "custom_jvp_call": _call, "custom_vjp_call": _call, "cond": _cond, "scan": _scan,
}  # fmt: skip
