"""Families: planted ones are found, signs and all."""

import numpy as np

from featviz.circuit_graphs.families import family_of, find_families


def test_planted_families_are_found():
    rng = np.random.default_rng(0)
    shapes = np.zeros((2, 3, 3))
    shapes[0, 0], shapes[1, :, 2] = 1.0, -2.0
    members = np.array([0, 1, 0, 1, 1, 0])
    maps = np.stack([rng.uniform(0.5, 1) * shapes[family] for family in members], axis=-1)
    found = find_families("conv", maps, 2)
    assert len(found) == 2
    assert sorted(tuple(sorted(family.units)) for family in found) == [(0, 2, 5), (1, 3, 4)]
    for family in found:
        shape = shapes[members[family.units[0]]]
        cosine = (family.map * shape).sum() / np.linalg.norm(family.map) / np.linalg.norm(shape)
        assert cosine > 0.999 and np.isclose(np.linalg.norm(family.direction), 1, atol=1e-5)
    for unit in range(6):
        index = family_of(found, "conv", unit)
        assert index is not None and unit in found[index].units
    assert family_of(found, "other", 0) is None


def test_nothing_has_no_families():
    assert find_families("conv", np.zeros((3, 3, 4)), 3) == ()
