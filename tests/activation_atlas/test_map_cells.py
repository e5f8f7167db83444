"""Cells: every activation lies in one, means are numpy's, and exemplars are of different photographs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.activation_atlas.map_cells import central_members, check_levels, cut_into_cells, most_alike
from featviz.errors import FeatvizError


@st.composite
def maps(draw):
    """Places, activations and photographs at random, and squares along a side."""
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    places = rng.random((count, 2)).astype(np.float32)
    # On edges and corners too.
    places[rng.random(count) < 0.2] = rng.integers(0, 2, 2)
    return (
        places,
        rng.normal(size=(count, 3)).astype(np.float32),
        np.sort(rng.integers(0, 8, count)),
        draw(st.integers(1, 9)),
    )


@given(maps())
def test_each_activation_lies_in_the_cell_of_its_place(drawn):
    places, values, photo, side = drawn
    level = cut_into_cells(places, values, photo, side=side, min_photos=1)
    assert sorted(np.concatenate(level.members).tolist()) == list(range(len(places)))
    for row, column, count, photos, members, mean in zip(*level[1:], strict=True):
        x, y = places[members, 0] * side, (1 - places[members, 1]) * side
        assert ((column <= x) & (x <= column + 1)).all() and ((row <= y) & (y <= row + 1)).all()
        assert count == len(members) and photos == len(set(photo[members].tolist()))
        np.testing.assert_allclose(mean, values[members].mean(0), atol=1e-5)


@given(maps(), st.integers(1, 4))
def test_cells_of_too_few_photographs_are_left_out(drawn, least):
    places, values, photo, side = drawn
    every, some = (cut_into_cells(places, values, photo, side=side, min_photos=n) for n in (1, least))
    kept = every.photos >= least
    assert some.photos.tolist() == every.photos[kept].tolist()
    assert some.row.tolist() == every.row[kept].tolist() and some.means.shape == (kept.sum(), 3)


@given(maps())
def test_exemplars_are_the_nearest_by_angle_one_a_photograph(drawn):
    places, values, photo, side = drawn
    level = cut_into_cells(places, values, photo, side=side, min_photos=1)
    center = np.full(3, 0.25, np.float32)
    for rows, members, mean in zip(
        central_members(level, values, photo, center, count=2), level.members, level.means, strict=True
    ):
        own, meant = values[members] - center, mean - center
        cosines = own @ meant / np.linalg.norm(own, axis=1)
        assert rows[0] in members and cosines.max() == pytest.approx(cosines[members.tolist().index(rows[0])], abs=1e-4)
        assert len(rows) == min(2, len(set(photo[members].tolist()))) == len({int(photo[row]) for row in rows})


def test_the_most_alike_cells_are_those_of_the_smallest_angles():
    means = np.array([[1.0, 0.0], [5.0, 0.5], [0.0, 1.0], [-1.0, 0.0]])
    assert most_alike(means, count=2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert most_alike(means[:1], count=2).shape == (1, 0)


@pytest.mark.parametrize("levels", [(), [], 10, "10", (0,), (201,), (2.5,), (True,)])
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(FeatvizError, match=r"^`levels` is .*expected"):
        check_levels(levels)


def test_levels_are_ascending_and_distinct():
    assert check_levels(np.array([40, 10, 20, 10])) == (10, 20, 40)
