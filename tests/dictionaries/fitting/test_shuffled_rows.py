"""Batches in random order: a pass takes each position at most once, and a step has its batch."""

from itertools import islice

import numpy as np
import pytest
from support.planted_dictionaries import make_store

from featviz.dictionaries.fitting.shuffled_rows import shuffled_batches

ROWS, UNITS = 20_000, 64


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    # Each row begins with its own number.
    values = np.zeros((ROWS, UNITS), np.float32)
    values[:, 0] = np.arange(ROWS)
    return make_store(tmp_path_factory.mktemp("rows") / "a", values)


def numbers(store, count, *, start=0, **options):
    batches = shuffled_batches(store, 500, seed=3, start=start, **options)
    found = np.stack([batch[:, 0] for batch in islice(batches, count)])
    batches.close()
    return found


@pytest.mark.parametrize("pool", [2**20, 2**28], ids=["pools", "one pool"])
def test_a_pass_takes_each_position_at_most_once(store, pool):
    first = numbers(store, 38, pool_bytes=pool).ravel()
    assert len(set(first.tolist())) == len(first)
    # In random order: neighbors of a batch are not neighbors in the store.
    assert np.median(np.abs(np.diff(first[:500]))) > 500


def test_passes_differ_and_seeds_decide(store):
    both = numbers(store, 80)
    assert not np.array_equal(both[:40], both[40:])
    assert np.array_equal(both, numbers(store, 80))


@pytest.mark.parametrize("pool", [2**20, 2**28], ids=["pools", "one pool"])
def test_a_step_has_its_batch_wherever_one_starts(store, pool):
    whole = numbers(store, 90, pool_bytes=pool)
    for start in (1, 17, 41, 85):
        assert np.array_equal(numbers(store, 5, start=start, pool_bytes=pool), whole[start : start + 5])
