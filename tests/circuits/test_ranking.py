"""The strongest entries of a matrix equal those of a full sort."""

import numpy as np
import pytest

from featviz.circuits import ranking
from featviz.circuits.ranking import strongest, strongest_of_layers, strongest_per_row


def coarse(seed, shape):
    """Numbers of few values, so that many are equal, with holes."""
    matrix = np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)
    matrix[0, 0], matrix[-1, 1] = np.nan, np.inf
    return matrix


def test_the_strongest_of_a_row():
    row = np.array([0.0, np.nan, -4.0, 2.0, np.inf])
    assert strongest(row, 9) == [(2, -1.0), (3, 0.5)] and strongest(np.zeros(3), 2) == []


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (1, 2), (300, 90)])
def test_the_strongest_per_row_equal_those_of_a_sort(shape, monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK", 24 * shape[1] * 7)  # blocks of seven rows
    matrix = coarse(1, shape)
    found = strongest_per_row(matrix, 5)
    for row, values in enumerate(matrix):
        assert strongest_of_layers([("", found.row(row))], 5) == [("", *link) for link in strongest(values, 5)]
    assert (
        strongest_per_row(np.zeros((2, 3), np.float32), 4).row(1) == []
        and strongest_per_row(np.zeros((2, 0), np.float32), 4).row(1) == []
    )


def test_of_several_layers_the_strongest_come_first_and_ties_go_to_the_first_layer():
    parts = [("a", [(4, 2.0), (1, -1.0)]), ("b", [(0, -2.0), (7, 1.5)]), ("c", [])]
    assert strongest_of_layers(parts, 3) == [("a", 4, 1.0), ("b", 0, -1.0), ("b", 7, 0.75)]
    assert strongest_of_layers([], 3) == []
