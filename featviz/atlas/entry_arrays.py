"""The arrays of a series, each read as one in whatever form its values lie on the disk.

A new array has one file a unit, `c.UNIT...`. A compacted one has shards (Zarr's sharding codec), `c/N/...`: files of
many units each. What is written after that has one file a unit again, in the group `added` of the series, and counts
in place of what the shards have, until it is compacted too. Every array on the disk is one of Zarr's own.

A reader may open an array just before another process compacts it: then the files of units that it reads are gone, and
Zarr gives the fill value for them. So whoever has read looks whether the series still has the form in which it was
opened, and reads again if not; files are removed only after the form has changed.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from featviz.common.zarr_groups import checked_codecs

# The group of a series with what was written since it was compacted.
ADDED = "added"
# About what a shard holds, and what is read of it at once; not compressed.
SHARD_BYTES, CHUNK_BYTES = 2**27, 2**14
# The most units of a shard and of a chunk in it.
SHARD_UNITS, CHUNK_UNITS = 4096, 256


class ArrayLayout(NamedTuple):
    """What an array is, apart from the form of its values.

    Args:
      shape: (units, ...).
      dtype: of its values.
      fill: the value where nothing is written.
      dimensions: the names of its axes.
    """

    shape: tuple[int, ...]
    dtype: str
    fill: float
    dimensions: tuple[str, ...]

    @property
    def entry_bytes(self) -> int:
        """What the values of one unit take."""
        return int(prod(self.shape[1:]) * np.dtype(self.dtype).itemsize)


def layout_of(array: Any) -> ArrayLayout:
    """What a Zarr array is."""
    return ArrayLayout(array.shape, str(array.dtype), array.fill_value, tuple(array.metadata.dimension_names))


def create_array(group: Any, name: str, layout: ArrayLayout, *, shards: tuple[int, int] | None = None) -> Any:
    """A new Zarr array of a series.

    Args:
      group: where it is made.
      name: its name.
      layout: what it is.
      shards: the units of a shard and of a chunk in it; None for one file a unit.
    """
    sides = layout.shape[1:]
    return group.create_array(
        name,
        shape=layout.shape,
        chunks=(1 if shards is None else shards[1], *sides),
        shards=None if shards is None else (shards[0], *sides),
        dtype=layout.dtype,
        fill_value=layout.fill,
        dimension_names=layout.dimensions,
        # One file per unit, without folders of their own; those of shards are apart from them.
        chunk_key_encoding={"name": "default", "separator": "." if shards is None else "/"},
        # A chunk that does not match its checksum is reported, not shown.
        compressors=checked_codecs(),
    )


def shard_units(layout: ArrayLayout) -> tuple[int, int]:
    """The units of a shard and of a chunk in it, powers of two.

    >>> shard_units(ArrayLayout((32768, 128, 128, 3), "uint8", 0, ()))
    (2048, 1)
    >>> shard_units(ArrayLayout((32768, 128), "float32", 0, ())), shard_units(ArrayLayout((32768,), "uint8", 0, ()))
    ((4096, 32), (4096, 256))
    """
    return (
        _power_of_two(SHARD_BYTES // layout.entry_bytes, SHARD_UNITS),
        _power_of_two(CHUNK_BYTES // layout.entry_bytes, CHUNK_UNITS),
    )


def _power_of_two(number: int, most: int) -> int:
    """The largest power of two that is not above `number` or `most`; at least 1."""
    return 1 << (max(1, min(number, most)).bit_length() - 1)


class EntryArray:
    """An array of a series: what was added since it was compacted, and else the array itself.

    Args:
      base: the Zarr array of the series.
      added: that of the group `added`, or None.
      folder: of `base` on this machine's disk, or None.
      added_folder: of `added`.
      added_units: the units from a first one up to a last one, exclusive, whose entries are in `added`.
      latest: the array opened again, or None as long as the series has the form in which this one was opened.
    """

    def __init__(
        self,
        base: Any,
        added: Any,
        folder: Path | None,
        added_folder: Path | None,
        added_units: Callable[[int, int], set[int]],
        latest: "Callable[[], EntryArray | None]",
    ) -> None:
        # A chunk that holds only the fill value is written like any other, so a missing one is damage.
        self.base = base.with_config({"write_empty_chunks": True})
        self.added: Any = None if added is None else added.with_config({"write_empty_chunks": True})
        self.folder, self.added_folder, self.added_units = folder, added_folder, added_units
        self._latest = latest

    @property
    def shape(self) -> tuple[int, ...]:
        """(units, ...)."""
        return tuple(self.base.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def sharded(self) -> bool:
        """Whether the array itself has shards."""
        return self.base.shards is not None

    def __getitem__(self, units: int | slice) -> np.ndarray:
        """The values of a unit, or of neighbors."""
        try:
            values = self._values(units)
        except Exception:  # shards that are being replaced may be read in any way
            if (latest := self._latest()) is None:
                raise
            return latest[units]
        return values if (latest := self._latest()) is None else latest[units]

    def __setitem__(self, unit: int, values: np.ndarray) -> None:
        """Writes the values of a unit, to one file."""
        (self.base if self.added is None else self.added)[unit] = values

    def lacking(self, units: Iterable[int]) -> set[int]:
        """Those of written units for which there is no file; on a disk only."""
        wanted = set(units)
        found = self._lacking(wanted)
        return found if not found or (latest := self._latest()) is None else latest.lacking(wanted)

    def _lacking(self, wanted: set[int]) -> set[int]:
        if self.folder is None:
            return set()
        added = self.added_units(0, self.shape[0]) & wanted
        missing = {unit for unit in added if not _unit_file(self.added_folder, unit, self.ndim).exists()}
        if not self.sharded:
            return missing | {unit for unit in wanted - added if not _unit_file(self.folder, unit, self.ndim).exists()}
        size = self.base.shards[0]
        shards = {unit // size for unit in wanted - added}
        lost = {shard for shard in shards if not self.folder.joinpath(shard_file(shard, self.ndim)).exists()}
        return missing | {unit for unit in wanted - added if unit // size in lost}

    def _values(self, units: int | slice) -> np.ndarray:
        if isinstance(units, slice):
            start, stop, _ = units.indices(self.shape[0])
            return self._read(start, max(start, stop))
        return np.asarray((self.added if self.added_units(units, units + 1) else self.base)[units])

    def _read(self, start: int, stop: int) -> np.ndarray:
        """The values of neighbors. What the base has of added units is not read: it may be damaged."""
        added = self.added_units(start, stop)
        if not added:
            return np.asarray(self.base[start:stop])
        values = np.empty((stop - start, *self.shape[1:]), self.base.dtype)
        for is_added, run in groupby(range(start, stop), added.__contains__):
            units = list(run)
            array = self.added if is_added else self.base
            values[units[0] - start : units[-1] + 1 - start] = array[units[0] : units[-1] + 1]
        return values


def shard_file(shard: int, axes: int) -> str:
    """Where a shard lies in the folder of an array.

    >>> shard_file(3, 4)
    'c/3/0/0/0'
    """
    return "/".join(["c", str(shard), *["0"] * (axes - 1)])


def _unit_file(folder: Path | None, unit: int, axes: int) -> Path:
    assert folder is not None
    return folder / ".".join(["c", str(unit), *["0"] * (axes - 1)])
