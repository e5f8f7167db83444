"""The cells of a map: squares at several zoom levels, with the activations that lie in them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.common.arguments import check_count, is_sequence
from featviz.errors import FeatvizError

# Squares along a side, at most.
MAX_SIDE = 200


class MapLevel(NamedTuple):
    """The cells of one zoom level, row by row from the top.

    Args:
      side: squares along a side of the map.
      row: of each cell, from the top.
      column: of each cell, from the left.
      counts: how many activations lie in it.
      photos: how many photographs they are of.
      members: cell -> the rows of its activations, ascending.
      means: of its activations.
    """

    side: int
    row: Int[np.ndarray, " cells"]
    column: Int[np.ndarray, " cells"]
    counts: Int[np.ndarray, " cells"]
    photos: Int[np.ndarray, " cells"]
    members: tuple[Int[np.ndarray, " rows"], ...]
    means: Float[np.ndarray, "cells units"]


def check_levels(levels: Sequence[int]) -> tuple[int, ...]:
    """The zoom levels, ascending.

    Raises:
      FeatvizError: unless they are whole numbers from 1 to 200.

    >>> check_levels([20, 10])
    (10, 20)
    """
    if not is_sequence(levels) or not list(levels):
        raise FeatvizError(f"`levels` is {levels!r}; expected squares along a side of each level, such as (10, 20, 40)")
    return tuple(sorted({check_count("levels", side, 1, MAX_SIDE) for side in levels}))


def cut_into_cells(
    places: Float[np.ndarray, "rows 2"],
    values: Float[np.ndarray, "rows units"],
    photo: Int[np.ndarray, " rows"],
    *,
    side: int,
    min_photos: int,
) -> MapLevel:
    """The squares of a level in which activations of enough photographs lie.

    Args:
      places: in the unit square, y upwards.
      values: the activations.
      photo: the photograph of each.
      side: squares along a side.
      min_photos: of how many photographs a cell has activations at least.

    >>> places = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    >>> level = cut_into_cells(places, np.eye(3), np.array([0, 1, 1]), side=2, min_photos=1)
    >>> level.row.tolist(), level.column.tolist(), level.counts.tolist(), level.photos.tolist()
    ([0, 1], [0, 1], [2, 1], [2, 1])
    """
    columns = np.minimum((places[:, 0] * side).astype(int), side - 1)
    rows = np.minimum(((1 - places[:, 1]) * side).astype(int), side - 1)
    square = rows * side + columns
    order = np.argsort(square, kind="stable")
    squares, starts = np.unique(square[order], return_index=True)
    groups = np.split(order, starts[1:])
    photos = np.array([len(np.unique(photo[group])) for group in groups])
    kept = np.flatnonzero(photos >= min_photos)
    members = tuple(groups[index] for index in kept)
    means = [values[group].mean(0, dtype=np.float64) for group in members]
    return MapLevel(
        side,
        squares[kept] // side,
        squares[kept] % side,
        np.array([len(group) for group in members], int),
        photos[kept],
        members,
        np.array(means, np.float32).reshape(len(members), values.shape[1]),
    )


def most_alike(means: Float[np.ndarray, "cells units"], *, count: int) -> Int[np.ndarray, "cells count"]:
    """The other cells of the smallest angle to each, the nearest first.

    >>> most_alike(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), count=1).tolist()
    [[1], [0], [1]]
    """
    units = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, : min(count, max(len(means) - 1, 0))]


def central_members(
    level: MapLevel,
    values: Float[np.ndarray, "rows units"],
    photo: Int[np.ndarray, " rows"],
    center: Float[np.ndarray, " units"],
    *,
    count: int,
) -> list[list[int]]:
    """Of each cell, rows nearest to its mean by angle, one a photograph.

    Args:
      level: the cells.
      values: the activations.
      photo: the photograph of each.
      center: what directions are meant from.
      count: how many rows of each cell, at most.
    """
    chosen = []
    for mean, members in zip(level.means, level.members, strict=True):
        own = values[members] - center
        cosines = own @ (mean - center) / np.maximum(np.linalg.norm(own, axis=1), 1e-12)
        order = members[np.argsort(-cosines, kind="stable")]
        _, first = np.unique(photo[order], return_index=True)
        chosen.append([int(row) for row in order[np.sort(first)[:count]]])
    return chosen
