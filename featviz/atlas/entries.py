"""The entries of one series: written an array at a time, the outcome last; read without trust."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from featviz.ascent.outcome import Outcome
from featviz.errors import in_one_line
from featviz.pictures.picture import Picture

ARRAYS = ("pixels", "score", "history", "outcome")
OUTCOMES = (None, Outcome.CONVERGED, Outcome.OUT_OF_STEPS, Outcome.DEAD, Outcome.NOT_FINITE)
# Entries read at once: a read costs as much for a few as for one.
BLOCK = 64


class Entries:
    """The arrays of a series; `folder` is where they lie, None where that is not on this machine's disk."""

    def __init__(self, group: Any, folder: Path | None) -> None:
        self.folder = folder
        self.group = group
        self.attributes: dict[str, Any] = dict(group.attrs)
        # Opened once, since each opening reads a file. A chunk of nothing but the fill value is written like any other:
        # one that is missing is damage.
        self.arrays = {name: group[name].with_config({"write_empty_chunks": True}) for name in ARRAYS}

    @property
    def units(self) -> int:
        """How many units the layer has, drawn or not."""
        return int(self.arrays["outcome"].shape[0])

    def there(self) -> set[int]:
        """The units whose entries have been written, as the names of files tell; whether whole is not asked."""
        if self.folder is None:
            return set(np.flatnonzero(self.arrays["outcome"][:]).tolist())
        return self._named("outcome")

    def outcomes(self) -> np.ndarray:
        """(units,) uint8: indices of `OUTCOMES`, 0 where there is no entry or its outcome cannot be read."""
        values = np.zeros(self.units, np.uint8)
        for some in _blocks(sorted(self.there())):
            for unit, outcome in self._read("outcome", some):
                values[unit] = 0 if isinstance(outcome, Exception) or outcome >= len(OUTCOMES) else outcome
        return values

    def outcome(self, unit: int) -> Outcome | None:
        """How an entry ended, or None where there is none."""
        return OUTCOMES[int(self.arrays["outcome"][unit])]

    def pixels(self, unit: int) -> np.ndarray:
        """uint8, (image, y, x, channel)."""
        values = np.asarray(self.arrays["pixels"][unit])
        return values if values.ndim == 4 else values[None]

    def score(self, unit: int) -> np.ndarray:
        """float32, (images,); nan where there is no entry."""
        return np.atleast_1d(np.asarray(self.arrays["score"][unit]))

    def scores(self) -> np.ndarray:
        """float32, (units,) or (units, images); nan where there is no entry."""
        return np.asarray(self.arrays["score"][:])

    def history(self, unit: int) -> np.ndarray:
        """float32, (steps made,)."""
        values = np.asarray(self.arrays["history"][unit])
        return values[: np.count_nonzero(values != -np.inf)]

    def write(self, unit: int, pictures: Sequence[Picture]) -> None:
        """One entry. Raises OSError where it cannot be written; then it does not count as there."""
        first = pictures[0]
        single = self.arrays["pixels"].ndim == 4
        pixels = np.stack([picture.to_uint8() for picture in pictures])
        scores = np.array([picture.score for picture in pictures], np.float32)
        history = np.full(self.arrays["history"].shape[1], -np.inf, np.float32)
        history[: len(first.history)] = first.history
        self._forget(unit)
        self.arrays["pixels"][unit] = pixels[0] if single else pixels
        self.arrays["history"][unit] = history
        self.arrays["score"][unit] = scores[0] if single else scores
        self.arrays["outcome"][unit] = OUTCOMES.index(first.outcome)

    def keep(self, *, lanes: int) -> None:
        """Keeps how many lanes a device draws the series with, on which pictures may depend; the first word counts."""
        self.attributes = dict(self.group.attrs)
        if "lanes" not in self.attributes:
            self.group.attrs["lanes"] = self.attributes["lanes"] = lanes

    def damaged(self, units: Iterable[int]) -> dict[int, str]:
        """Those of some units whose entries are not whole, and why."""
        wanted = sorted(units)
        found: dict[int, str] = {}
        for name in ARRAYS:
            missing = set() if self.folder is None else set(wanted) - self._named(name)
            found |= dict.fromkeys(missing, f"no {name}")
            for some in _blocks([unit for unit in wanted if unit not in found]):
                for unit, value in self._read(name, some):
                    if isinstance(value, Exception):
                        found[unit] = in_one_line(value) or type(value).__name__
        return found

    def _read(self, name: str, units: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """The values of neighboring units, read at once, or what was wrong with each that cannot be read."""
        array = self.arrays[name]
        try:
            values = np.asarray(array[units[0] : units[-1] + 1])
            yield from zip(units, values, strict=True)
        except Exception:  # whatever a decoder says of bytes that are not its own; which unit's are they?
            for unit in units:
                try:
                    yield unit, np.asarray(array[unit])
                except Exception as error:
                    yield unit, error

    def _named(self, name: str) -> set[int]:
        """The units of which an array has a file, `c.UNIT...`."""
        assert self.folder is not None
        found = set()
        with suppress(FileNotFoundError), os.scandir(self.folder / name) as listed:
            for each in listed:
                parts = each.name.split(".")
                if parts[0] == "c" and len(parts) > 1 and parts[1].isdecimal() and parts[-1] != "partial":
                    found.add(int(parts[1]))
        return found

    def _forget(self, unit: int) -> None:
        """An entry that is drawn again does not count until it is whole again."""
        if self.folder is not None:
            (self.folder / "outcome" / f"c.{unit}").unlink(missing_ok=True)


def _blocks(units: Sequence[int]) -> Iterator[list[int]]:
    """Ascending units as runs of neighbors, of `BLOCK` at most.

    >>> list(_blocks([0, 1, 2, 5]))
    [[0, 1, 2], [5]]
    """
    run: list[int] = []
    for unit in units:
        if run and (unit != run[-1] + 1 or len(run) == BLOCK):
            yield run
            run = []
        run.append(unit)
    if run:
        yield run
