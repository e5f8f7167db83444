"""What an array's axes descend from: the images, the sides of an image, or units; and how reshapes carry it on.

An axis is a tuple of factors, major first, whose sizes multiply to its size: windows that are folded into the axis of
the images make it (images, windows). A layout has the axes of an array.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from enum import IntFlag
from math import prod
from typing import NamedTuple


class Role(IntFlag):
    """What a factor descends from; a union where several came together.

    `MIXED` is what weights make of positions while the units stay on another axis, as in a token mixer: units that it
    has for itself, unless it is added to positions later.
    """

    NONE = 0
    IMAGES = 1
    PLACES = 2
    UNITS = 4
    MIXED = 8


# The step that made a factor, in scans behind that of the scan; and which part of it is left, of splits within splits.
Origin = tuple[tuple[int, ...], tuple[int, ...]]


class Factor(NamedTuple):
    """A part of an axis; units made later have a greater `made`, minor parts of them a greater `part`.

    Positions have a `made` where a product compares them with others, as attention does.
    """

    role: Role
    size: int
    made: tuple[int, ...] = ()
    part: tuple[int, ...] = ()

    @property
    def origin(self) -> Origin:
        """The step that made it, and the part of it."""
        return self.made, self.part


Axis = tuple[Factor, ...]
Layout = tuple[Axis, ...]

# Of what no step made.
NOWHERE: Origin = ((), ())
# Roles that an axis of size 1 keeps.
KEPT = (Role.IMAGES, Role.UNITS)
# Roles whose factors know where they were made.
MADE = Role.UNITS | Role.MIXED


def axis(role: Role, size: int, origin: Origin) -> Axis:
    """An axis of one factor, or of none where it has size 1 and nothing to keep."""
    made, part = origin
    return (Factor(role, size, made, part),) if size != 1 or role in KEPT else ()


def role_of(factors: Axis) -> Role:
    """The union of an axis's roles."""
    role = Role.NONE
    for factor in factors:
        role |= factor.role
    return role


def unknown(shape: Sequence[int]) -> Layout:
    """The layout of an array of which nothing is known."""
    return tuple(axis(Role.NONE, size, NOWHERE) for size in shape)


def newest(factors: Iterable[Factor]) -> Origin:
    """Where the newest units among factors come from."""
    return max((factor.origin for factor in factors if factor.role & MADE), default=NOWHERE)


def is_units(factors: Axis) -> bool:
    """Whether an axis holds units and nothing else."""
    role = role_of(factors)
    return bool(role & Role.UNITS) and not role & (Role.PLACES | Role.IMAGES)


def holds_places(factors: Axis) -> bool:
    """Whether positions are on an axis, also ones that weights made of others."""
    return bool(role_of(factors) & (Role.PLACES | Role.MIXED))


def resized(factors: Axis, size: int) -> Axis:
    """The axis at another size, which leaves one factor: its parts are not known any more."""
    if prod(factor.size for factor in factors) == size:
        return factors
    return axis(role_of(factors), size, newest(factors))


def split(factor: Factor, size: int) -> tuple[Factor, Factor]:
    """A factor's major part, of the given size, and its minor part."""
    major, minor = factor._replace(size=size), factor._replace(size=factor.size // size)
    if not factor.role & MADE:
        return major, minor
    return major._replace(part=(*factor.part, 0)), minor._replace(part=(*factor.part, 1))


def join(one: Axis, other: Axis, joined: set[tuple[Factor, Factor]]) -> Axis:
    """An axis of a sum of two arrays; pairs of factors that differ are added to `joined`."""
    if one == other or not other:
        return one
    if not one:
        return other
    pairs = _pair(one, other)
    if pairs is None:
        size = prod(factor.size for factor in one)
        return axis(role_of(one) | role_of(other), size, newest((*one, *other)))
    return tuple(_join_factors(left, right, joined) for left, right in pairs)


def reshape(layout: Layout, shape: Sequence[int]) -> Layout:
    """The layout of a reshaped array: factors are split and merged in their order, whatever sizes coincide."""
    left = deque(factor for factors in layout for factor in factors if factor.size != 1 or factor.role in KEPT)
    axes: list[list[Factor]] = [[] for _ in shape]
    rests: set[Factor] = set()
    if 0 in shape:
        return unknown(shape)
    # Axes of size 1 that were there before, by the size of what lies before them.
    empty = {prod(map(_size, layout[:index])) for index, factors in enumerate(layout) if not factors}
    for index, size in enumerate(shape):
        need = size
        if size == 1 and left and left[0].size == 1:
            axes[index].append(left.popleft())
        elif size == 1 and prod(shape[:index]) not in empty:
            before = axes[index - 1][-1:] if index else []
            following = next((other for other in shape[index + 1 :] if other > 1), None)
            axes[index] += _single(left, following, before[0] if rests.issuperset(before) and before else None)
        while need > 1:
            if not left:
                return unknown(shape)
            factor = left.popleft()
            if need % factor.size and factor.size % need:
                # What is between the two cannot be told apart any more.
                left.extendleft(reversed(_union(factor, left)))
                continue
            if factor.size > need:
                factor, rest = split(factor, need)
                left.appendleft(rest)
                rests.add(rest)
            # A single unit that was squeezed off is none of the axis before it.
            if factor.size > 1 or factor.role == Role.IMAGES or axes[index]:
                axes[index].append(factor)
            need //= factor.size
    # What is left are single units or images: flattened with several factors they belong to the last axis.
    if axes and len(axes[-1]) > 1:
        axes[-1].extend(factor for factor in left if factor.role == Role.UNITS)
    return tuple(_coalesced(factors) for factors in axes)


def _single(left: deque[Factor], following: int | None, before: Factor | None) -> list[Factor]:
    """What a new axis of size 1 gets: a single part of units that are split.

    Args:
        left: The factors that are not on an axis yet; what the axis gets is taken off.
        following: The next size that is not 1.
        before: The factor on the axis before it, where that is the last part of a factor that was split.
    """
    if left and following is not None and left[0].role == Role.UNITS and left[0].size > following:
        major, rest = split(left.popleft(), 1)
        left.appendleft(rest)
        return [major]
    if before is not None and before.role == Role.UNITS:
        return [before._replace(size=1, part=(*before.part, 1))]
    return []


def _union(factor: Factor, left: deque[Factor]) -> Axis:
    """A factor and the next one as one, nothing where there is no next one."""
    if not left:
        return ()
    other = left.popleft()
    return (Factor(factor.role | other.role, factor.size * other.size, *newest((factor, other))),)


def _size(factors: Axis) -> int:
    return prod(factor.size for factor in factors)


def _coalesced(factors: Sequence[Factor]) -> Axis:
    """The factors, neighbors of one role as one."""
    merged: list[Factor] = []
    for factor in factors:
        if merged and merged[-1].role == factor.role != Role.IMAGES:
            made, part = max(merged[-1].origin, factor.origin)
            merged[-1] = Factor(factor.role, merged[-1].size * factor.size, made, part)
        else:
            merged.append(factor)
    return tuple(merged)


def _pair(one: Axis, other: Axis) -> list[tuple[Factor, Factor]] | None:
    """The factors of two axes of one size side by side, split where they must be; None where that cannot be."""
    left, right = deque(one), deque(other)
    pairs: list[tuple[Factor, Factor]] = []
    while left or right:
        if left and left[0].size == 1 and not (right and right[0].size == 1):
            pairs.append((left[0], left.popleft()))
            continue
        if right and right[0].size == 1 and not (left and left[0].size == 1):
            pairs.append((right[0], right.popleft()))
            continue
        if not left or not right:
            return None
        x, y = left.popleft(), right.popleft()
        if x.size != y.size and x.size % y.size and y.size % x.size:
            return None
        if x.size > y.size:
            x, rest = split(x, y.size)
            left.appendleft(rest)
        elif y.size > x.size:
            y, rest = split(y, x.size)
            right.appendleft(rest)
        pairs.append((x, y))
    return pairs


def _join_factors(one: Factor, other: Factor, joined: set[tuple[Factor, Factor]]) -> Factor:
    if one == other or other.role == Role.NONE:
        return one
    if one.role == Role.NONE:
        return other
    if one.role != other.role:
        joined.add((one, other))
    role = one.role | other.role
    if Role.IMAGES in (one.role, other.role):
        # Where an axis is that of the images in one of them, it is in both.
        return Factor(Role.IMAGES, one.size)
    if role & ~Role.MIXED:
        role &= ~Role.MIXED
    made, part = max((factor.origin for factor in (one, other) if factor.role & role & MADE), default=NOWHERE)
    return Factor(role, one.size, made, part)
