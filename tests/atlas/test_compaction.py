"""Compacted series: the same entries in few files, for this library and for Zarr alone, before and after more runs."""

import json
import subprocess
import sys

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from support.atlases import (
    OPTIONS,
    SYNTHETIC,
    add_synthetic,
    assert_entries,
    assert_equal,
    count_files,
    synthetic,
)

import featviz as fv
from featviz.atlas import entries as entries_module
from featviz.atlas import entry_arrays
from featviz.atlas.atlas_store import open_store
from featviz.atlas.build import build_atlas
from featviz.atlas.compaction import compact_atlas, compact_series
from featviz.atlas.locks import UnitsInUseError, lock_name, lock_units
from featviz.errors import FeatvizError
from featviz.pages.records import Role

UNITS = 40


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of 16 units, so that 40 have three."""
    monkeypatch.setattr(entry_arrays, "SHARD_UNITS", 16)
    monkeypatch.setattr(entry_arrays, "CHUNK_UNITS", 4)


@pytest.fixture
def store(tmp_path, small_shards):
    return open_store(tmp_path / "a", writable=True, create=True)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, UNITS - 1), max_size=3), st.booleans()), min_size=1, max_size=3))
def test_entries_stay_the_same_however_runs_and_compactions_alternate(tmp_path_factory, runs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry_arrays, "SHARD_UNITS", 16)
        patch.setattr(entry_arrays, "CHUNK_UNITS", 4)
        store, seeds = open_store(tmp_path_factory.mktemp("runs") / "a", writable=True, create=True), {}
        held = add_synthetic(store, UNITS)
        for number, (units, compacts) in enumerate(runs):
            entries = add_synthetic(store, UNITS)
            for unit in units:
                seeds[unit] = unit + 100 * number
                entries.write(unit, [synthetic(seeds[unit])])
            if compacts:
                compact_series(store, SYNTHETIC)
            # Opened before, and opened now.
            for found in (held, store.entries(SYNTHETIC)):
                assert found.written() == set(seeds) and found.damaged(seeds) == {}
                assert_entries(found.arrays, UNITS, seeds)
            if compacts:
                assert_entries(zarr.open_group(str(store.folder / SYNTHETIC), mode="r"), UNITS, seeds)
                assert held.compacted == bool(seeds) and count_files(store.folder / SYNTHETIC) < 24


def test_an_atlas_is_read_alike_in_both_forms(tiny, complete, copied_atlas):
    before = fv.open_atlas(copied_atlas)
    table, files = before.table(), count_files(copied_atlas)
    done = list(compact_atlas(before.store))
    assert sum(each.entries for each in done) == before.count()[0] and list(compact_atlas(before.store)) == []
    assert count_files(copied_atlas) < files / 4
    # Opened before, and opened now.
    for atlas in (before, fv.open_atlas(copied_atlas)):
        assert_equal(complete, atlas)
        assert all(np.array_equal(table[name], column) for name, column in atlas.table().items())
        picture = complete.picture("conv2:3", role=Role.FACET)
        assert np.array_equal(atlas.picture("conv2:3", role=Role.FACET).pixels, picture.pixels)
    names = {path.name for path in copied_atlas.iterdir()}
    assert names == {"zarr.json", "plans", "pictures", "locks", "journal"}


def test_a_run_compacts_what_is_finished_and_another_adds_to_it(tiny, complete, tmp_path):
    build_atlas(tiny, out=tmp_path / "a", full=["conv2"], shard=(1, 2), **OPTIONS)
    made = fv.open_atlas(tmp_path / "a")
    compacted = [made.entries(series.path).compacted for series in made.plan]
    assert compacted == [made.entries(series.path).written() >= set(series.units) for series in made.plan]
    assert 0 < sum(compacted) < len(compacted)
    build_atlas(tiny, out=tmp_path / "a", full=["conv2"], shard=(2, 2), **OPTIONS)
    assert_equal(complete, made)
    assert all(made.entries(series.path).compacted for series in made.plan)
    part = build_atlas(tiny, out=tmp_path / "b", units=range(3), **OPTIONS)
    assert part.entries(part.find("conv1").path).compacted
    build_atlas(tiny, out=tmp_path / "b", full=["conv2"], **OPTIONS)
    assert_equal(complete, fv.open_atlas(tmp_path / "b"))
    assert not list(tmp_path.rglob("c.*")) and not list(tmp_path.rglob("added"))
    other = build_atlas(tiny, out=tmp_path / "b", units=[1], **OPTIONS | {"seed": 5})
    assert other.count() == (2, 2) and len(other.revisions) == 2


@pytest.mark.parametrize("damage", ["flipped", "missing", "metadata", "outcomes"])
def test_damaged_shards_are_rendered_again(tiny, complete, copied_atlas, capsys, damage):
    list(compact_atlas(fv.open_atlas(copied_atlas).store))
    group = copied_atlas / complete.find("conv1").path
    shard = group / "pixels" / "c" / "0" / "0" / "0" / "0"
    match damage:
        case "flipped":
            data = bytearray(shard.read_bytes())
            data[len(data) // 2] ^= 1
            shard.write_bytes(data)
        case "missing":
            shard.unlink()
        case "metadata":
            (group / "score" / "zarr.json").write_text('{"zarr_format": 3, "no')
        case "outcomes":
            (group / "outcome" / "zarr.json").unlink()
    assert_equal(complete, build_atlas(tiny, out=copied_atlas, full=["conv2"], **OPTIONS))
    assert ("is damaged and is rendered again" in capsys.readouterr().err) == (damage in ("flipped", "missing"))
    assert not list(copied_atlas.rglob("added"))


def test_what_another_run_holds_is_left_to_it(store):
    entries = add_synthetic(store, UNITS)
    entries.write(3, [synthetic(3)])
    with lock_units(store.folder / "locks", [(lock_name(SYNTHETIC), [39])]), pytest.raises(UnitsInUseError):
        compact_series(store, SYNTHETIC)
    assert not entries.compacted and compact_series(store, SYNTHETIC) is not None and entries.compacted


def test_a_missing_file_is_no_empty_picture(store):
    entries = add_synthetic(store, UNITS)
    for unit in (1, 2):
        entries.write(unit, [synthetic(unit)])
    next((store.folder / SYNTHETIC / "pixels").glob("c.2.*")).unlink()
    with pytest.raises(FeatvizError, match=r"layer:2 \(main\) is damaged: no pixels; run the atlas command again"):
        compact_series(store, SYNTHETIC)
    assert not entries.compacted and not (store.folder / "compacting").exists()


def test_metadata_of_shards(store):
    entries = add_synthetic(store, UNITS)
    for unit in (0, 20, 39):
        entries.write(unit, [synthetic(unit)])
    compact_series(store, SYNTHETIC)
    described = json.loads((store.folder / SYNTHETIC / "pixels" / "zarr.json").read_text())
    (codec,) = described["codecs"]
    assert codec["name"] == "sharding_indexed" and described["chunk_grid"]["configuration"]["chunk_shape"][0] == 16
    # By Zarr in a process of its own, which has nothing of this library.
    code = f"import zarr; print(zarr.open_array({str(store.folder / SYNTHETIC / 'score')!r}, mode='r')[20])"
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(said) == entries.score(20)[0]


def test_object_storage_is_refused():
    pytest.importorskip("fsspec")
    store = open_store("memory://bucket/compacted", writable=True, create=True)
    with pytest.raises(FeatvizError, match="is not a folder; expected an atlas on this machine's disk"):
        list(compact_atlas(store))


def test_a_reader_that_opened_the_series_before_reads_the_same(store):
    entries = add_synthetic(store, UNITS)
    for unit in (1, 2, 17):
        entries.write(unit, [synthetic(unit)])
    for later in ((3, 17), ()):  # files of units become shards, and what was added to shards becomes part of them
        stale = dict(entries.arrays)
        expected = {name: (array[:], array[17]) for name, array in stale.items()}
        compact_series(store, SYNTHETIC)
        for name, array in stale.items():
            np.testing.assert_array_equal(array[:], expected[name][0])
            np.testing.assert_array_equal(array[17], expected[name][1])
            assert array.lacking([1, 2, 17]) == set()
        for unit in later:
            entries.write(unit, [synthetic(unit)])


def test_units_are_counted_while_another_process_compacts(store, monkeypatch):
    entries = add_synthetic(store, UNITS)
    for unit in (1, 2, 17):
        entries.write(unit, [synthetic(unit)])
    listed = entries_module._units_with_files

    def compacted_meanwhile(folder):
        monkeypatch.setattr(entries_module, "_units_with_files", listed)
        compact_series(store, SYNTHETIC)
        return listed(folder)

    monkeypatch.setattr(entries_module, "_units_with_files", compacted_meanwhile)
    assert entries.written() == {1, 2, 17}
