"""The strongest of many and the rows most alike: as a sort of everything would have them, without the memory of one."""

import tracemalloc

import numpy as np
import pytest

from featviz.circuits import links as links_module
from featviz.circuits import ranking
from featviz.circuits.connections import connections
from featviz.circuits.links import LINKS, Links, shares
from featviz.circuits.ranking import alike, similar, strongest, together, tops
from featviz.pages.records import UnitLink

LAYERS = ["conv1/relu", "conv2/relu", "fc"]


def coarse(seed, shape):
    """Numbers of few values, so that many are equal, with holes."""
    matrix = np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)
    matrix[0, 0], matrix[-1, 1] = np.nan, np.inf
    return matrix


def all_alike(matrix, count, *, units=None):
    """Every cosine, sorted, of all rows or of some."""
    known = np.where(np.isfinite(matrix), matrix, 0).astype(np.float64)
    norms = np.linalg.norm(known, axis=1, keepdims=True)
    units = range(len(matrix)) if units is None else units
    directions, tied = known / np.where(norms > 0, norms, 1), norms[:, 0] > 0
    found = []
    for unit, row in zip(units, np.round(directions[units] @ directions.T, 6), strict=True):
        order = np.argsort(-row, kind="stable")
        others = [int(other) for other in order if other != unit and tied[other] and tied[unit]]
        found.append([(other, pytest.approx(row[other], abs=2e-6)) for other in others[:count]])
    return found


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (1, 2), (300, 90)])
def test_tops_are_those_of_a_sort(shape, monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK", 24 * shape[1] * 7)  # blocks of seven rows
    matrix = coarse(1, shape)
    found = tops(matrix, 5)
    for row, values in enumerate(matrix):
        assert together([("", found.of(row))], 5) == [("", *each) for each in strongest(values, 5)]
    assert tops(np.zeros((2, 3), np.float32), 4).of(1) == [] and tops(np.zeros((2, 0), np.float32), 4).of(1) == []


def test_tops_of_columns_are_shares_of_what_drives_the_units_above():
    ties = np.random.default_rng(2).standard_normal((30, 20)).astype(np.float32)
    expected = ties / np.maximum(np.linalg.norm(ties, axis=1, keepdims=True), 1e-30)
    found = shares(ties, LINKS)
    for unit in range(20):
        assert together([("a", found.of(unit))], LINKS) == [
            ("a", *each) for each in strongest(expected[:, unit], LINKS)
        ]


@pytest.mark.parametrize("few", [0, 10_000])
def test_the_most_alike_are_those_of_all_cosines(monkeypatch, few):
    monkeypatch.setattr(ranking, "FEW", few or 16)
    monkeypatch.setattr(ranking, "SIDE", 50)
    matrix = np.random.default_rng(3).standard_normal((170, 12)).astype(np.float32)
    matrix[5], matrix[6], matrix[7, 2], matrix[90] = 0, np.nan, np.inf, 2 * matrix[20]
    matrix[[40, 120, 160]] = matrix[33]
    found = similar(matrix, 6)
    assert found == all_alike(matrix, 6)
    assert found[20][0] == (90, 1.0) and [unit for unit, _ in found[120][:3]] == [33, 40, 160] and found[5] == []
    spoilt = alike(matrix.copy(), 6, overwrite=True)
    assert [spoilt.of(unit) for unit in range(170)] == found


def test_equal_units_come_by_their_numbers():
    found = similar(np.ones((60, 3), np.float32), 4)
    assert [unit for unit, _ in found[0]] == [1, 2, 3, 4] and [unit for unit, _ in found[50]] == [0, 1, 2, 3]


def test_many_units_take_little_memory():
    matrix = np.random.default_rng(4).standard_normal((6000, 8)).astype(np.float32)
    tracemalloc.start()
    found = alike(matrix, 8)
    tops(matrix, 8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All cosines at once take 144 MB, twice that in double precision, and their order as much.
    assert peak < 144e6 and found.numbers.shape == (6000, 8)
    assert found.of(0) == all_alike(matrix, 8, units=[0])[0]


@pytest.fixture
def asked(monkeypatch):
    """The pairs of layers whose ties have been computed."""
    pairs = []
    monkeypatch.setattr(
        links_module, "connections", lambda model, *pair: pairs.append(pair[:2]) or connections(model, *pair)
    )
    return pairs


def test_links_are_found_as_they_are_asked_for(tiny, asked):
    links = Links(tiny, LAYERS)
    assert asked == []
    assert links.inputs("conv1/relu", 0) == () and links.similar("conv1/relu", 3) == () and asked == []
    links.inputs("conv2/relu", 0)
    assert asked == [("conv1/relu", "conv2/relu")]
    links.outputs("conv1/relu", 0)
    links.similar("conv2/relu", 1)
    assert len(asked) == 1
    links.outputs("conv2/relu", 7)
    assert asked[1:] == [("conv2/relu", "fc")]


def test_links_are_the_strongest_of_the_matrices(tiny):
    links = Links(tiny, LAYERS)
    ties = connections(tiny, "conv1/relu", "conv2/relu", np.ones(80, np.float32))
    driven = ties / np.linalg.norm(ties, axis=1, keepdims=True)
    for unit in range(8):
        assert links.inputs("conv2/relu", unit) == tuple(
            UnitLink("conv1/relu", *each) for each in strongest(ties[unit], LINKS)
        )
        assert links.similar("conv2/relu", unit) == tuple(
            UnitLink("conv2/relu", *each) for each in similar(ties, LINKS)[unit]
        )
    for unit in range(80):
        assert links.outputs("conv1/relu", unit) == tuple(
            UnitLink("conv2/relu", *each) for each in strongest(driven[:, unit], LINKS)
        )


def test_of_several_layers_the_strongest_come_first_and_of_equal_ones_the_first_layers():
    parts = [("a", [(4, 2.0), (1, -1.0)]), ("b", [(0, -2.0), (7, 1.5)]), ("c", [])]
    assert together(parts, 3) == [("a", 4, 1.0), ("b", 0, -1.0), ("b", 7, 0.75)]
    assert together([], 3) == []
