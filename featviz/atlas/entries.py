"""The entries of one series: written array by array, the outcome last; read with checks."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from featviz.ascent.outcome import Outcome
from featviz.errors import in_one_line
from featviz.pictures.picture import Picture

ARRAYS = ("pixels", "score", "history", "outcome")
# Arrays that entries of earlier versions lack. In a group of its own: its axes are not those of a series.
CLEAN_HISTORY = "looks/clean_history"
LATER_ARRAYS = (CLEAN_HISTORY,)
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
# Entries read at once: reading a few costs as much as reading one.
BLOCK = 64


class Entries:
    """The arrays of a series.

    Args:
      group: the series' `zarr.Group`.
      folder: where its arrays lie on this machine's disk, or None.
    """

    def __init__(self, group: Any, folder: Path | None) -> None:
        self.folder = folder
        self.group = group
        self.attributes: dict[str, Any] = dict(group.attrs)
        # Opened once, since opening reads a file. A chunk that holds only the fill value is written like any other, so
        # a missing chunk is damage.
        names = (*ARRAYS, *(name for name in LATER_ARRAYS if name in group))
        self.arrays = {name: group[name].with_config({"write_empty_chunks": True}) for name in names}

    @property
    def units(self) -> int:
        """How many units the layer has, rendered or not."""
        return int(self.arrays["outcome"].shape[0])

    def written(self) -> set[int]:
        """The units that have an entry, by the names of files; whether it is intact is not checked."""
        if self.folder is None:
            return set(np.flatnonzero(self.arrays["outcome"][:]).tolist())
        return self._units_with("outcome")

    def outcomes(self) -> UInt8[np.ndarray, " units"]:
        """Indices of `OUTCOMES`, 0 for no entry or an outcome that cannot be read."""
        values = np.zeros(self.units, np.uint8)
        for block in _blocks(sorted(self.written())):
            for unit, outcome in self._read("outcome", block):
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
        values = np.asarray(self.arrays["history"][unit])
        return values[: np.count_nonzero(values != -np.inf)]

    def clean_history(self, unit: int) -> Float32[np.ndarray, "looks 1+images"]:
        """The steps done and each picture's score at each look; empty if they are not known."""
        if CLEAN_HISTORY not in self.arrays:
            return np.zeros((0, 1 + len(self.score(unit))), np.float32)
        values = np.asarray(self.arrays[CLEAN_HISTORY][unit])
        return values[values[:, 0] != -np.inf]

    def write(self, unit: int, pictures: Sequence[Picture]) -> None:
        """Writes one entry. Raises OSError if it cannot be written; then it does not count as written."""
        first = pictures[0]
        single = self.arrays["pixels"].ndim == 4
        pixels = np.stack([picture.to_uint8() for picture in pictures])
        scores = np.array([picture.score for picture in pictures], np.float32)
        history = np.full(self.arrays["history"].shape[1], -np.inf, np.float32)
        history[: len(first.history)] = first.history
        looks = [first.clean_history[:, :1], *(picture.clean_history[:, 1:] for picture in pictures)]
        self._invalidate(unit)
        self.arrays["pixels"][unit] = pixels[0] if single else pixels
        self.arrays["history"][unit] = history
        if CLEAN_HISTORY in self.arrays:
            values = np.concatenate(looks, 1)
            clean = np.full(self.arrays[CLEAN_HISTORY].shape[1:], -np.inf, np.float32)
            # The ascent of a recipe in stages may be looked at more often.
            rows = np.unique(np.linspace(0, len(values) - 1, min(len(clean), len(values))).round().astype(int))
            clean[: len(rows)] = values[rows]
            self.arrays[CLEAN_HISTORY][unit] = clean
        self.arrays["score"][unit] = scores[0] if single else scores
        self.arrays["outcome"][unit] = OUTCOMES.index(first.outcome)

    def fix_lanes(self, lanes: int) -> None:
        """Keeps the number of lanes of the series, on which pixels may depend; the first call counts."""
        self.attributes = dict(self.group.attrs)
        if "lanes" not in self.attributes:
            self.group.attrs["lanes"] = self.attributes["lanes"] = lanes

    def damaged(self, units: Iterable[int]) -> dict[int, str]:
        """The given units whose entries are not intact, and why."""
        wanted = sorted(units)
        faults: dict[int, str] = {}
        for name in self.arrays:
            complete = self.folder is None or name in LATER_ARRAYS
            missing = set() if complete else set(wanted) - self._units_with(name)
            faults |= dict.fromkeys(missing, f"no {name}")
            for block in _blocks([unit for unit in wanted if unit not in faults]):
                for unit, value in self._read(name, block):
                    if isinstance(value, Exception):
                        faults[unit] = in_one_line(value) or type(value).__name__
        return faults

    def _read(self, name: str, units: Sequence[int]) -> Iterator[tuple[int, np.ndarray | Exception]]:
        """The values of neighboring units, read at once, or the exception for each that cannot be read."""
        array = self.arrays[name]
        try:
            values = np.asarray(array[units[0] : units[-1] + 1])
            yield from zip(units, values, strict=True)
        except Exception:  # a decoder may raise anything; the units are read one by one to find the damaged ones
            for unit in units:
                try:
                    yield unit, np.asarray(array[unit])
                except Exception as error:
                    yield unit, error

    def _units_with(self, name: str) -> set[int]:
        """The units for which an array has a file, `c.UNIT...`."""
        assert self.folder is not None
        units = set()
        with suppress(FileNotFoundError), os.scandir(self.folder / name) as listing:
            for file in listing:
                parts = file.name.split(".")
                if parts[0] == "c" and len(parts) > 1 and parts[1].isdecimal() and parts[-1] != "partial":
                    units.add(int(parts[1]))
        return units

    def _invalidate(self, unit: int) -> None:
        """An entry that is written again does not count until it is complete."""
        if self.folder is not None:
            (self.folder / "outcome" / f"c.{unit}").unlink(missing_ok=True)


def count_looks(steps: int) -> int:
    """Rows of a clean history: one at the start, and one after every 16 steps and after the last.

    >>> count_looks(40)
    4
    """
    return 1 + -(-steps // 16)


def _blocks(units: Sequence[int]) -> Iterator[list[int]]:
    """Ascending units as runs of neighbors, of at most `BLOCK`.

    >>> list(_blocks([0, 1, 2, 5]))
    [[0, 1, 2], [5]]
    """
    block: list[int] = []
    for unit in units:
        if block and (unit != block[-1] + 1 or len(block) == BLOCK):
            yield block
            block = []
        block.append(unit)
    if block:
        yield block
