"""The most similar rows equal those of all cosines, without the memory that those take."""

import tracemalloc

import numpy as np
import pytest

from featviz.circuits import cosine_neighbors as neighbors_module
from featviz.circuits.cosine_neighbors import cosine_neighbors
from featviz.circuits.ranking import strongest_per_row


def neighbors(matrix, count):
    found = cosine_neighbors(matrix, count)
    return [found.row(index) for index in range(len(matrix))]


def all_neighbors(matrix, count, *, units=None):
    """Every cosine, sorted, of all rows or of some."""
    known = np.where(np.isfinite(matrix), matrix, 0).astype(np.float64)
    norms = np.linalg.norm(known, axis=1, keepdims=True)
    units = range(len(matrix)) if units is None else units
    directions, nonzero = known / np.where(norms > 0, norms, 1), norms[:, 0] > 0
    found = []
    for unit, row in zip(units, np.round(directions[units] @ directions.T, 6), strict=True):
        order = np.argsort(-row, kind="stable")
        others = [int(other) for other in order if other != unit and nonzero[other] and nonzero[unit]]
        found.append([(other, pytest.approx(row[other], abs=2e-6)) for other in others[:count]])
    return found


def test_neighbors_of_parallel_and_opposite_rows():
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found = neighbors(rows, 2)
    assert found[0] == [(1, 1.0), (4, pytest.approx(0.5**0.5, abs=1e-5))] and found[3] == []
    assert neighbors(rows, 4)[0][-1] == (2, -1.0)


@pytest.mark.parametrize("few", [0, 10_000])
def test_neighbors_equal_those_of_all_cosines(monkeypatch, few):
    monkeypatch.setattr(neighbors_module, "DENSE_ROWS", few or 16)
    monkeypatch.setattr(neighbors_module, "SIDE", 50)
    matrix = np.random.default_rng(3).standard_normal((170, 12)).astype(np.float32)
    matrix[5], matrix[6], matrix[7, 2], matrix[90] = 0, np.nan, np.inf, 2 * matrix[20]
    matrix[[40, 120, 160]] = matrix[33]
    found = neighbors(matrix, 6)
    assert found == all_neighbors(matrix, 6)
    assert found[20][0] == (90, 1.0) and [unit for unit, _ in found[120][:3]] == [33, 40, 160] and found[5] == []
    overwritten = cosine_neighbors(matrix.copy(), 6, overwrite=True)
    assert [overwritten.row(unit) for unit in range(170)] == found


def test_ties_go_to_the_lower_row():
    found = neighbors(np.ones((60, 3), np.float32), 4)
    assert [unit for unit, _ in found[0]] == [1, 2, 3, 4] and [unit for unit, _ in found[50]] == [0, 1, 2, 3]


def test_many_rows_take_little_memory():
    matrix = np.random.default_rng(4).standard_normal((6000, 8)).astype(np.float32)
    tracemalloc.start()
    found = cosine_neighbors(matrix, 8)
    strongest_per_row(matrix, 8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All cosines at once take 144 MB, twice that in double precision, and their order as much.
    assert peak < 144e6 and found.columns.shape == (6000, 8)
    assert found.row(0) == all_neighbors(matrix, 8, units=[0])[0]
