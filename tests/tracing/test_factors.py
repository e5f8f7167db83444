"""Factors of axes against coordinates: where a coordinate varies along an axis, its role is on it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.tracing.factors import NOWHERE, Factor, Role, axis, join, reshape, role_of

ROLES = (Role.IMAGES, Role.PLACES, Role.UNITS)


@st.composite
def moves(draw):
    """A shape of three axes with roles, and transposes and reshapes that split and merge them."""
    parts = [draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)) for _ in ROLES]
    steps = [("shape", tuple(size for sizes in parts for size in sizes))]
    steps.append(("order", tuple(draw(st.permutations(range(sum(map(len, parts))))))))
    sizes = [steps[0][1][index] for index in steps[1][1]]
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(sizes) - 1)), max_size=3)))
    steps.append(("shape", tuple(int(np.prod(each)) for each in np.split(np.array(sizes, int), cuts))))
    # Whatever shape of the same size comes then, its axes must still be told honestly.
    steps.append(("shape", draw(st.sampled_from(divisions(int(np.prod(sizes)))))))
    return tuple(int(np.prod(sizes)) for sizes in parts), steps


def divisions(size):
    """Shapes of two axes of one size."""
    return [(left, size // left) for left in range(1, size + 1) if size % left == 0]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(moves())
def test_a_coordinate_varies_only_along_axes_that_have_its_role(case):
    shape, steps = case
    layout = tuple(axis(role, size, NOWHERE) for role, size in zip(ROLES, shape, strict=True))
    coordinates = {role: np.indices(shape)[index] for index, role in enumerate(ROLES)}
    for kind, wanted in steps:
        if kind == "shape":
            layout = reshape(layout, wanted)
            coordinates = {role: values.reshape(wanted) for role, values in coordinates.items()}
        else:
            layout = tuple(layout[index] for index in wanted)
            coordinates = {role: values.transpose(wanted) for role, values in coordinates.items()}
    for role, values in coordinates.items():
        for index, factors in enumerate(layout):
            assert np.prod([factor.size for factor in factors]) == values.shape[index]
            varies = values.shape[index] > 1 and np.diff(values, axis=index).any()
            assert not varies or role_of(factors) & role


def test_units_that_are_split_are_told_apart_by_their_parts():
    heads, units = reshape((axis(Role.UNITS, 12, ((3,), ())),), (4, 3))
    assert (heads[0].part, units[0].part) == ((0,), (1,))
    assert reshape((heads, units), (12,)) == ((Factor(Role.UNITS, 12, (3,), (1,)),),)


def test_a_single_unit_stays_where_units_were_split():
    assert [bool(factors) for factors in reshape((axis(Role.UNITS, 4, NOWHERE),), (1, 2, 2))] == [True, True, True]
    # As in x[:, None]: nothing was split.
    assert reshape((axis(Role.UNITS, 4, NOWHERE),), (1, 4)) == ((), axis(Role.UNITS, 4, NOWHERE))


def test_a_sum_with_positions_makes_mixed_axes_positions():
    joined = set()
    assert join(axis(Role.PLACES, 4, NOWHERE), axis(Role.MIXED, 4, ((7,), ())), joined) == axis(Role.PLACES, 4, NOWHERE)
    assert len(joined) == 1
    assert join((), axis(Role.UNITS, 4, NOWHERE), joined) == axis(Role.UNITS, 4, NOWHERE)
