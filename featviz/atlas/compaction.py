"""Compaction: the files of a series, some for each unit, gathered in shards of thousands of units each.

A series is whole at any moment, for this library and for any reader of Zarr, also if the process is killed. Shards are
built beside the series and moved into the folders of its arrays, where nothing names them yet; then the metadata of one
array after the other are replaced, those of the outcomes last; then the files of units are removed. What was added to a
compacted series counts until the shards that have it are in place.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from featviz.atlas.atlas_store import Store
from featviz.atlas.entries import ARRAYS, LATER_ARRAYS, Entries
from featviz.atlas.entry_arrays import ADDED, create_array, layout_of, shard_units
from featviz.atlas.locks import UnitsInUseError, creation_lock, lock_name, lock_units
from featviz.errors import FeatvizError, in_one_line

# Where shards are built.
FOLDER = "compacting"


class Compacted(NamedTuple):
    """What was done to a series.

    Args:
      path: where it lies in the store.
      entries: how many it has.
      before: its files before.
      after: its files now.
    """

    path: str
    entries: int
    before: int
    after: int


def compact_atlas(store: Store) -> Iterator[Compacted]:
    """Compacts all series of an atlas, of every revision, finished or not; yields each that was not compacted.

    Raises:
      FeatvizError: for an address, or if a series is being rendered, has a damaged entry or cannot be written.
    """
    if store.folder is None:
        raise FeatvizError(f"`{store.location}` is not a folder; expected an atlas on this machine's disk")
    for path in store.series_paths():
        compacted = compact_series(store, path)
        if compacted is not None:
            yield compacted


def compact_finished(store: Store, paths: Iterable[str]) -> None:
    """Compacts those of the series that have all entries that any plan names; errors are reported as warnings.

    A series whose units another run has is left to that run. Nothing is done in object storage.
    """
    if store.folder is None:
        return
    planned: dict[str, set[int]] = {path: set() for path in paths}
    for series in (series for plan in store.plans() for series in plan["series"] if series["path"] in planned):
        for first, count in series["units"]:
            planned[series["path"]].update(range(first, first + count))
    for path, units in planned.items():
        if store.entries(path).written() >= units:
            try:
                with suppress(UnitsInUseError):
                    compact_series(store, path)
            except FeatvizError as error:
                tqdm.write(f"{error}; the pictures stay in files of their own", file=sys.stderr)


def compact_series(store: Store, path: str) -> Compacted | None:
    """Compacts one series of an atlas on this machine's disk.

    Args:
      store: the atlas's store.
      path: where the series lies in it.

    Returns:
      what was done, or None if there was nothing to do.

    Raises:
      UnitsInUseError: if some of its units are being rendered.
      FeatvizError: if it has a damaged entry, or cannot be written.
    """
    assert store.folder is not None
    name, folder = lock_name(path), store.folder / path
    try:
        units = range(store.entries(path).units)
    except Exception as error:  # metadata may be damaged in any way
        raise FeatvizError(
            f"{path} in `{store.folder}` cannot be read: {in_one_line(error)}; run the atlas command again to repair it"
        ) from None
    with lock_units(store.folder / "locks", [(name, units)]), _building(store.folder, name) as building:
        entries = store.entries(path)
        outdated = [array for array in _names(entries) if not entries.arrays[array].sharded]
        written = entries.written()
        if not written or not (outdated or (folder / ADDED).exists()):
            # What a compaction that was killed may have left.
            _remove_unit_files(folder, set(_names(entries)) - set(outdated))
            return None
        before = _count_files(folder)
        _check_files(entries, written)
        for array in _names(entries):
            _build(entries, array, written, building)
        with creation_lock(store.folder):
            _move(building, folder, _names(entries), outdated)
        _remove_unit_files(folder, _names(entries))
        return Compacted(path, len(written), before, _count_files(folder))


@contextmanager
def _building(atlas: Path, name: str) -> Iterator[Path]:
    """A context with an empty folder for shards, which is removed at its end; errors of the disk in one line."""
    folder = atlas / FOLDER / name
    try:
        # What a process that was killed has left.
        shutil.rmtree(folder, ignore_errors=True)
        yield folder
    except OSError as error:
        raise FeatvizError(f"`{atlas}` cannot be compacted: {error.strerror or in_one_line(error)}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()


def _names(entries: Entries) -> list[str]:
    """The arrays of a series, the outcomes last."""
    return [*(name for name in LATER_ARRAYS if name in entries.arrays), *ARRAYS]


def _check_files(entries: Entries, written: set[int]) -> None:
    """Refuses a missing file, which any reader takes for an empty picture."""
    for name in entries.needed:
        if missing := entries.arrays[name].lacking(written):
            raise _damaged(entries, min(missing), f"no {name}")


def _build(entries: Entries, name: str, written: set[int], building: Path) -> None:
    """Writes the shards of an array that it lacks, or in which something is to be replaced."""
    import zarr

    array = entries.arrays[name]
    layout = layout_of(array.base)
    size, chunk = (array.base.shards[0], array.base.chunks[0]) if array.sharded else shard_units(layout)
    changed = entries.added_units(0, entries.units) if array.sharded else range(entries.units)
    target = create_array(zarr.open_group(building, mode="a", zarr_format=3), name, layout, shards=(size, chunk))
    target = target.with_config({"write_empty_chunks": True})
    for start in sorted({unit // size * size for unit in changed}):
        stop = min(start + size, entries.units)
        values = np.full((stop - start, *layout.shape[1:]), layout.fill, layout.dtype)
        for unit, value in entries.values(name, written.intersection(range(start, stop))):
            if isinstance(value, Exception):
                raise _damaged(entries, unit, in_one_line(value) or type(value).__name__)
            values[unit - start] = value
        target[start:stop] = values
    for file in _files(building / name):
        # On the disk before the files of units are removed.
        with file.open("rb") as opened:
            os.fsync(opened.fileno())


def _move(building: Path, folder: Path, names: list[str], outdated: list[str]) -> None:
    """Puts shards and metadata into their places, each by renaming it; the caller holds the creation lock."""
    for name in names:
        if name in outdated:
            # Of a process that was killed; nothing names them.
            shutil.rmtree(folder / name / "c", ignore_errors=True)
        for file in _files(building / name / "c"):
            target = folder / file.relative_to(building)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    for name in outdated:
        os.replace(building / name / "zarr.json", folder / name / "zarr.json")
    if (folder / ADDED).exists():
        os.replace(folder / ADDED, building / ADDED)


def _remove_unit_files(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        with os.scandir(folder / name) as listing:
            for path in [file.path for file in listing if file.name.startswith("c.")]:
                os.unlink(path)


def _damaged(entries: Entries, unit: int, fault: str) -> FeatvizError:
    name = f"{entries.attributes['layer']}:{unit} ({entries.attributes['role']})"
    return FeatvizError(f"{name} is damaged: {fault}; run the atlas command again to repair it")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _count_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))
