"""Who draws what: kernel locks on units, which a dead process does not hold.

One file for all, `locks/units.lock`; a unit of a series is one byte of it, far beyond its end. Open-file locks where
the system has them (Linux): they know two threads of one process apart. On a system without any (Windows) nothing is
held.
"""

import errno
import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from featviz.errors import FeatvizError, in_one_line

# Linux's F_OFD_SETLK and F_OFD_SETLKW (fcntl.h), which Python names from 3.12 on only where it was built with them.
OFD_SETLK, OFD_SETLKW = 37, 38


@contextmanager
def hold(folder: Path, wanted: Iterable[tuple[str, Iterable[int]]]) -> Iterator[None]:
    """Holds the locks of units while within: of each series, by name, those units, ascending.

    Raises: FeatvizError if another run holds one of them, or the folder takes no file or no locks.
    """
    descriptor = _open(folder, "units.lock")
    try:
        for series, units in wanted:
            for first, count in runs(units):
                if not _lock(descriptor, _place(series) + first, count, folder=folder):
                    which = f"unit {first}" if count == 1 else f"some of the units {first} to {first + count - 1}"
                    raise FeatvizError(
                        f"another run is drawing {which} of {series} in `{folder.parent}`; wait for it to end, or give "
                        "each a share of its own, such as --shard 1/2 and --shard 2/2"
                    )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def creating(folder: Path | None) -> Iterator[None]:
    """Within, no other process makes the atlas or a series of it; waits for one that does. None needs no lock."""
    if folder is None:
        yield
        return
    descriptor = _open(folder / "locks", "creating.lock")
    try:
        _lock(descriptor, 0, 1, folder=folder, wait=True)
        yield
    finally:
        os.close(descriptor)


def _open(folder: Path, name: str) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise FeatvizError(f"`{folder.parent}` cannot be written: {error.strerror or in_one_line(error)}") from None


def _lock(descriptor: int, start: int, count: int, *, folder: Path, wait: bool = False) -> bool:
    """Whether the bytes are this run's now."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        if os.uname().sysname == "Linux":
            # struct flock: type, whence, start, length, process (0 for these locks).
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, count, 0)
            fcntl.fcntl(descriptor, OFD_SETLKW if wait else OFD_SETLK, asked)
        else:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), count, start)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise FeatvizError(
            f"`{folder}` is on a file system without locks ({error.strerror}); expected one that has them, else two "
            "runs may draw the same units"
        ) from None
    return True


def _place(series: str) -> int:
    """Where a series' bytes begin in the lock file: 4 billion apart, by the hash of its name."""
    return int(hashlib.sha256(series.encode()).hexdigest()[:7], 16) << 32


def runs(units: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs of neighbors: (first, how many).

    >>> runs([0, 1, 2, 5, 7, 8])
    [(0, 3), (5, 1), (7, 2)]
    """
    found: list[tuple[int, int]] = []
    for unit in units:
        if found and sum(found[-1]) == unit:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((unit, 1))
    return found
