"""A compaction that is killed at any moment leaves the entries as they were, and the next one finishes it."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.atlases import SYNTHETIC, add_synthetic, assert_entries, count_files, synthetic

from featviz.atlas import entry_arrays
from featviz.atlas.atlas_store import open_store
from featviz.atlas.compaction import compact_series

UNITS = 20


class Killed(BaseException):
    """The process ends here."""


class KilledDisk:
    """A disk that changes so many times and then no more: what a process does after it was killed."""

    def __init__(self, patch, changes):
        self.left = changes
        for owner, names in ((os, ("replace", "unlink", "rmdir", "mkdir", "rename")), (Path, ("replace", "unlink"))):
            for name in names:
                patch.setattr(owner, name, self.counted(getattr(owner, name)))
        patch.setattr(shutil, "rmtree", self.counted(shutil.rmtree))

    def counted(self, change):
        def changed(*args, **options):
            if self.left <= 0:
                raise Killed
            self.left -= 1
            return change(*args, **options)

        return changed


def overlaid(folder):
    """What Zarr alone reads of a series: its arrays, and the entries of `added` in their place."""
    group = zarr.open_group(str(folder), mode="r")
    values = {name: group[name][:] for name in ("pixels", "score", "history", "outcome", "looks/clean_history")}
    if "added/outcome" in group:
        later = group["added/outcome"][:] != 0
        for name in values:
            values[name][later] = group[f"added/{name}"][:][later]
    return values


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """The folder of an atlas with five entries, a file each."""
    store = open_store(tmp_path_factory.mktemp("started") / "a", writable=True, create=True)
    entries = add_synthetic(store, UNITS)
    for unit in range(0, UNITS, 4):
        entries.write(unit, [synthetic(unit)])
    return store.folder


@settings(max_examples=8, deadline=None)
@given(
    first=st.integers(0, 120),
    second=st.integers(0, 60),
    more=st.sets(st.integers(0, UNITS - 1), max_size=2),
    compacts_first=st.booleans(),
)
@example(first=75, second=40, more={1}, compacts_first=True)
@example(first=85, second=0, more={0, 19}, compacts_first=False)
def test_killed_at_any_change_of_the_disk(started, tmp_path_factory, first, second, more, compacts_first):
    folder = tmp_path_factory.mktemp("killed") / "a"
    shutil.copytree(started, folder)
    seeds = {unit: unit for unit in range(0, UNITS, 4)}
    with pytest.MonkeyPatch.context() as small:
        small.setattr(entry_arrays, "SHARD_UNITS", 8)
        small.setattr(entry_arrays, "CHUNK_UNITS", 4)
        store = open_store(folder, writable=True)
        held = store.entries(SYNTHETIC)
        for units, changes in (((), first), (more, second)):
            # As a run does it: what a kill left is set right, and then there are more entries.
            entries = add_synthetic(store, UNITS)
            for unit in units:
                seeds[unit] = unit + 50
                entries.write(unit, [synthetic(seeds[unit])])
            with pytest.MonkeyPatch.context() as patch:
                KilledDisk(patch, changes)
                with contextlib.suppress(Killed):
                    compact_series(store, SYNTHETIC)
            assert held.written() == set(seeds) and held.damaged(seeds) == {}
            assert_entries(held.arrays, UNITS, seeds)
            assert_entries(overlaid(folder / SYNTHETIC), UNITS, seeds)
            if compacts_first:
                compact_series(store, SYNTHETIC)
        add_synthetic(store, UNITS)
        compact_series(store, SYNTHETIC)
        assert_entries(zarr.open_group(str(folder / SYNTHETIC), mode="r"), UNITS, seeds)
        # Three shards of each of five arrays, and seven descriptions.
        assert count_files(folder / SYNTHETIC) == 22 and not (folder / "compacting").exists()


KILLING = """
import sys
from pathlib import Path
from featviz.atlas.atlas_store import open_store
from featviz.atlas.compaction import compact_series
store = open_store(Path(sys.argv[1]), writable=True)
print("ready", flush=True)
sys.stdin.readline()
compact_series(store, "pictures/layer/main-0")
"""


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.01, 0.2])
def test_killed_by_the_system(started, tmp_path, wait):
    folder, seeds = tmp_path / "a", {unit: unit for unit in range(0, UNITS, 4)}
    shutil.copytree(started, folder)
    arguments = [sys.executable, "-c", KILLING, str(folder)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.stdin.write(b"\n")
    process.stdin.flush()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait)
    process.kill()
    process.communicate()
    assert_entries(overlaid(folder / SYNTHETIC), UNITS, seeds)
    add_synthetic(open_store(folder, writable=True), UNITS)
    compact_series(open_store(folder), SYNTHETIC)
    assert_entries(zarr.open_group(str(folder / SYNTHETIC), mode="r"), UNITS, seeds)
    assert count_files(folder / SYNTHETIC) == 12 and not (folder / "compacting").exists()
