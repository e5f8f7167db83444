"""The store of activations: any Zarr reader opens it, and its folder is new or its own."""

import numpy as np
import pytest
import zarr
from support.planted_dictionaries import make_store, positions_of
from support.surveys import refused

from featviz.dictionaries.fitting.activation_store import (
    CHUNKS_PER_SHARD,
    HELD_OUT,
    TRAIN,
    create_activations,
    open_activations,
)

VALUES = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)


def test_what_was_written_is_read(tmp_path):
    make_store(tmp_path / "a", VALUES, VALUES[:7])
    store = open_activations(tmp_path / "a")
    assert store.rows(TRAIN) == 300 and store.rows(HELD_OUT) == 7 and store.units == 5
    assert np.array_equal(store.read(TRAIN, 290, 400), VALUES[290:])
    assert store.where(TRAIN)[0].tolist() == list(range(300))


def test_chunks_are_read_in_their_order_and_a_sample_is_even(tmp_path):
    # Long rows have the smallest chunks.
    values = np.zeros((16 * 9 + 5, 40_000), np.float32)
    values[:, 0] = np.arange(len(values))
    store = make_store(tmp_path / "a", values)
    assert store.chunk == 16
    assert store.read_chunks([1, 9])[:, 0].tolist() == [*range(16, 32), *range(144, 149)]
    assert store.sample(48)[:, 0].tolist() == [*range(16), *range(64, 80), *range(144, 149)]
    assert store.sample(1)[:, 0].tolist() == [*range(16)]
    assert np.array_equal(store.sample(10_000), values)


def test_any_reader_opens_it_and_it_is_sharded(tmp_path):
    make_store(tmp_path / "a", VALUES)
    array = zarr.open_array(tmp_path / "a" / "train" / "values", mode="r")
    assert np.array_equal(array[:], VALUES)
    assert array.shards[0] == CHUNKS_PER_SHARD * array.chunks[0]


def test_rows_that_were_not_counted_are_written_again(tmp_path):
    store = create_activations(tmp_path / "a", {}, 5)
    parts = {TRAIN: positions_of(VALUES), HELD_OUT: positions_of(VALUES[:0])}
    store.append(parts, 30, {})
    store.group.attrs.update({"rows": {TRAIN: 100, HELD_OUT: 0}})
    store.append({TRAIN: positions_of(VALUES[100:150]), HELD_OUT: positions_of(VALUES[:0])}, 40, {})
    assert store.rows(TRAIN) == 150 and np.array_equal(store.read(TRAIN, 0, 999), VALUES[:150])


@pytest.mark.parametrize("what", ["missing", "file", "other"])
def test_what_holds_none_is_refused(tmp_path, what):
    path = tmp_path / what
    if what == "file":
        path.write_text("x")
    if what == "other":
        path.mkdir()
    says = {"missing": "does not exist", "file": "is a file", "other": "holds no activations"}[what]
    refused(says, open_activations, path)


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "note.txt").write_text("x")
    refused("holds other things", create_activations, tmp_path, {}, 5)
