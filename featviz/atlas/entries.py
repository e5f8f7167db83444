"""The entries of one series: written array by array, the outcome last; read with checks."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from featviz.ascent.outcome import Outcome
from featviz.atlas.entry_arrays import ADDED, EntryArray, create_array, layout_of
from featviz.atlas.entry_blocks import neighbors, read_block, units_at_once
from featviz.atlas.entry_histories import made_looks, made_steps
from featviz.atlas.locks import creation_lock
from featviz.atlas.objective_text import decode, encode
from featviz.errors import in_one_line
from featviz.pictures.picture import Picture

ARRAYS = ("pixels", "score", "history", "outcome")
# Arrays that entries of earlier versions lack. In a group of its own: its axes are not those of a series.
CLEAN_HISTORY = "looks/clean_history"
# What an entry maximizes, as canonical JSON in bytes with zeros after it; only where its role does not say it.
OBJECTIVE = "objective/json"
# In provenance, and beside what the entry maximizes: the photograph that a picture begins at.
BEGUN_AT = "begun_at"
LATER_ARRAYS = (CLEAN_HISTORY, OBJECTIVE)
# By the number in the store.
OUTCOMES = (
    None,
    Outcome.CONVERGED,
    Outcome.OUT_OF_STEPS,
    Outcome.DEAD,
    Outcome.NOT_FINITE,
    Outcome.CONSTANT,
    Outcome.UNMOVED,
)


class Entries:
    """The arrays of a series, compacted or not (`entry_arrays`).

    Args:
      group: the series' `zarr.Group`.
      folder: where its arrays lie on this machine's disk, or None.
    """

    def __init__(self, group: Any, folder: Path | None) -> None:
        self.folder = folder
        self.group = group
        self.attributes: dict[str, Any] = dict(group.attrs)
        self._form = self._read_form()
        self._arrays = self._open()

    @property
    def arrays(self) -> Mapping[str, EntryArray]:
        """The arrays by their names; opened again where another process has compacted them, or added to them."""
        # Opening reads a file each, this only looks at two.
        if (form := self._read_form()) != self._form:
            self._form = form
            self._arrays = self._open()
        return self._arrays

    @property
    def needed(self) -> tuple[str, ...]:
        """The arrays that have a value of each entry: all but one, which a series of an earlier version got later."""
        return tuple(name for name in self.arrays if name != CLEAN_HISTORY)

    @property
    def units(self) -> int:
        """How many units the layer has, rendered or not."""
        return self._arrays["outcome"].shape[0]

    @property
    def compacted(self) -> bool:
        """Whether entries lie in shards, at least those written before the last compaction."""
        return self.arrays["outcome"].sharded

    def written(self) -> set[int]:
        """The units that have an entry; whether it is intact is not checked."""
        arrays = self.arrays
        found = self._find_written(arrays["outcome"])
        # Another process may have compacted the series meanwhile.
        return found if self.arrays is arrays else self.written()

    def _find_written(self, outcome: EntryArray) -> set[int]:
        if self.folder is None:
            return set(np.flatnonzero(outcome[:]).tolist())
        if not outcome.sharded:
            return _units_with_files(self.folder / "outcome")
        added = self.added_units(0, self.units)
        # What cannot be read counts as written; it is damaged.
        everything = self.values("outcome", range(self.units))
        return added.union(unit for unit, value in everything if isinstance(value, Exception) or value != 0)

    def outcomes(self) -> UInt8[np.ndarray, " units"]:
        """Indices of `OUTCOMES`, 0 for no entry or an outcome that cannot be read."""
        values = np.zeros(self.units, np.uint8)
        for unit, outcome in self.values("outcome", self.written()):
            values[unit] = 0 if isinstance(outcome, Exception) or outcome >= len(OUTCOMES) else outcome
        return values

    def outcome(self, unit: int) -> Outcome | None:
        """How an entry's optimization ended, or None if there is no entry."""
        return OUTCOMES[int(self.arrays["outcome"][unit])]

    def pixels(self, unit: int) -> UInt8[np.ndarray, "images y x channels"]:
        """The pictures of an entry."""
        values = np.asarray(self.arrays["pixels"][unit])
        return values if values.ndim == 4 else values[None]

    def score(self, unit: int) -> Float32[np.ndarray, " images"]:
        """The score of each picture of an entry, nan if there is no entry."""
        return np.atleast_1d(np.asarray(self.arrays["score"][unit]))

    def scores(self) -> Float32[np.ndarray, " units *images"]:
        """The scores of all units, nan where there is no entry."""
        return np.asarray(self.arrays["score"][:])

    def history(self, unit: int) -> Float32[np.ndarray, " steps"]:
        """The score at each step that was made."""
        return made_steps(self.arrays["history"][unit])

    def clean_history(self, unit: int) -> Float32[np.ndarray, "looks 1+images"]:
        """The steps done and each picture's score at each look; empty if they are not known."""
        if CLEAN_HISTORY not in self.arrays:
            return np.zeros((0, 1 + len(self.score(unit))), np.float32)
        return made_looks(self.arrays[CLEAN_HISTORY][unit])

    def objective(self, unit: int) -> dict[str, Any] | None:
        """What an entry maximizes, as provenance describes it; None where it follows from the series' role."""
        found = decode(self.arrays[OBJECTIVE][unit]) if OBJECTIVE in self.arrays else None
        return None if found is None else {name: value for name, value in found.items() if name != BEGUN_AT}

    def begun_at(self, unit: int) -> list[str]:
        """The photograph at which each picture of an entry begins; empty where they begin from noise."""
        found = decode(self.arrays[OBJECTIVE][unit]) if OBJECTIVE in self.arrays else None
        return list((found or {}).get(BEGUN_AT, ()))

    def write(self, unit: int, pictures: Sequence[Picture]) -> None:
        """Writes one entry. Raises OSError if it cannot be written; then it does not count as written."""
        first = pictures[0]
        single = self.arrays["pixels"].ndim == 4
        pixels = np.stack([picture.to_uint8() for picture in pictures])
        scores = np.array([picture.score for picture in pictures], np.float32)
        history = np.full(self.arrays["history"].shape[1], -np.inf, np.float32)
        history[: len(first.history)] = first.history
        looks = [first.clean_history[:, :1], *(picture.clean_history[:, 1:] for picture in pictures)]
        self._prepare_writing()
        self._invalidate(unit)
        arrays = self.arrays
        arrays["pixels"][unit] = pixels[0] if single else pixels
        arrays["history"][unit] = history
        if CLEAN_HISTORY in arrays:
            values = np.concatenate(looks, 1)
            clean = np.full(arrays[CLEAN_HISTORY].shape[1:], -np.inf, np.float32)
            # The ascent of a recipe in stages may be looked at more often.
            rows = np.unique(np.linspace(0, len(values) - 1, min(len(clean), len(values))).round().astype(int))
            clean[: len(rows)] = values[rows]
            arrays[CLEAN_HISTORY][unit] = clean
        if OBJECTIVE in arrays:
            described = dict(first.provenance["objective"])
            if BEGUN_AT in first.provenance:
                described[BEGUN_AT] = [picture.provenance[BEGUN_AT] for picture in pictures]
            arrays[OBJECTIVE][unit] = encode(described, arrays[OBJECTIVE].shape[1])
        arrays["score"][unit] = scores[0] if single else scores
        arrays["outcome"][unit] = np.asarray(OUTCOMES.index(first.outcome), np.uint8)

    def fix_lanes(self, lanes: int) -> None:
        """Keeps the number of lanes of the series, on which pixels may depend; the first call counts."""
        self.attributes = dict(self.group.attrs)
        if "lanes" not in self.attributes:
            self.group.attrs["lanes"] = self.attributes["lanes"] = lanes

    def damaged(self, units: Iterable[int]) -> dict[int, str]:
        """The given units whose entries are not intact, and why."""
        wanted = sorted(units)
        faults: dict[int, str] = {}
        for name, array in self.arrays.items():
            missing = array.lacking(wanted) if name in self.needed else set()
            faults |= dict.fromkeys(missing, f"no {name}")
            for unit, value in self.values(name, [unit for unit in wanted if unit not in faults]):
                if isinstance(value, Exception):
                    faults[unit] = in_one_line(value) or type(value).__name__
        return faults

    def values(self, name: str, units: Iterable[int]) -> Iterator[tuple[int, np.ndarray | Exception]]:
        """What an array has of units, ascending, or the exception for each that cannot be read; read in blocks."""
        most = units_at_once(self.arrays[name])
        for block in neighbors(sorted(units), most=most):
            yield from zip(block, read_block(self.arrays[name], block), strict=True)

    def added_units(self, start: int, stop: int) -> set[int]:
        """The units from `start` up to `stop`, exclusive, written since the series was compacted."""
        if self._added is None:
            return set()
        if self.folder is None:
            return set((start + np.flatnonzero(self._added["outcome"][start:stop])).tolist())
        folder = self.folder / ADDED / "outcome"
        if stop - start == 1:
            return {start} if (folder / f"c.{start}").exists() else set()
        return {unit for unit in _units_with_files(folder) if start <= unit < stop}

    def _open(self) -> dict[str, EntryArray]:
        names = (*ARRAYS, *(name for name in LATER_ARRAYS if name in self.group))
        # Its outcomes are made last.
        self._added = self.group[ADDED] if f"{ADDED}/outcome" in self.group else None
        return {
            name: EntryArray(
                self.group[name],
                None if self._added is None else self._added[name],
                None if self.folder is None else self.folder / name,
                None if self.folder is None else self.folder / ADDED / name,
                self.added_units,
                partial(self._latest, name, self._form),
            )
            for name in names
        }

    def _latest(self, name: str, form: tuple[tuple[int, int] | None, ...]) -> EntryArray | None:
        """An array opened again, or None as long as the series has this form."""
        return None if self._read_form() == form else self.arrays[name]

    def _read_form(self) -> tuple[tuple[int, int] | None, ...]:
        """What changes when the series is compacted or gets the group `added`: the files of its last arrays."""
        if self.folder is None:
            return ()
        return tuple(_identity(self.folder / name / "zarr.json") for name in ("outcome", f"{ADDED}/outcome"))

    def _prepare_writing(self) -> None:
        """Makes the group `added` of a series that is compacted."""
        if not self.compacted or self._added is not None:
            return
        with creation_lock(None if self.folder is None else self.folder.parents[2]):
            complete_added(self.group)
        self._form = self._read_form()
        self._arrays = self._open()

    def _invalidate(self, unit: int) -> None:
        """An entry that is written again does not count until it is complete."""
        if self.folder is not None:
            folder = self.folder if self._added is None else self.folder / ADDED
            (folder / "outcome" / f"c.{unit}").unlink(missing_ok=True)


def complete_added(group: Any) -> None:
    """Makes the group `added` of a series, or what is missing of it; the caller holds the creation lock."""
    added = group.require_group(ADDED)
    names = (*LATER_ARRAYS, *ARRAYS)
    for name in (name for name in names if name in group and name not in added):
        create_array(added, name, layout_of(group[name]))


def _identity(file: Path) -> tuple[int, int] | None:
    """What differs for two files that replace each other, None for no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _units_with_files(folder: Path) -> set[int]:
    """The units for which an array has a file, `c.UNIT...`."""
    units = set()
    with suppress(FileNotFoundError), os.scandir(folder) as listing:
        for file in listing:
            parts = file.name.split(".")
            if parts[0] == "c" and len(parts) > 1 and parts[1].isdecimal() and parts[-1] != "partial":
                units.add(int(parts[1]))
    return units
