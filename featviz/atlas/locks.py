"""Kernel locks on units, so that two runs do not render the same ones. A process that dies releases its locks.

All locks are on one file, `locks/units.lock`: a unit of a series is one byte of it, far beyond its end. On Linux they
are open-file-description locks, which also exclude two threads of one process. A system without file locks (Windows)
gets none.
"""

import errno
import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from featviz.atlas.unit_selection import consecutive_ranges
from featviz.errors import FeatvizError, in_one_line

# Linux's F_OFD_SETLK and F_OFD_SETLKW (fcntl.h); Python names them from 3.12 on, and only in some builds.
OFD_SETLK, OFD_SETLKW = 37, 38


class UnitsInUseError(FeatvizError):
    """Another run holds the locks of some units."""


def lock_name(path: str) -> str:
    """The name of a series in locks and journal: LAYER-ROLE-HASH.

    >>> lock_name("pictures/conv1/main-6f9f3a")
    'conv1-main-6f9f3a'
    """
    _, layer, name = path.split("/")
    return f"{layer}-{name}"


@contextmanager
def lock_units(folder: Path, wanted: Iterable[tuple[str, Iterable[int]]]) -> Iterator[None]:
    """A context that holds the locks of units.

    Args:
      folder: where the lock file lies.
      wanted: pairs of a series' name and its units, ascending.

    Raises:
      UnitsInUseError: if another run holds one of them.
      FeatvizError: if the folder cannot be written or has no locks.
    """
    descriptor = _open(folder, "units.lock")
    try:
        for series, units in wanted:
            for first, count in consecutive_ranges(units):
                if not _lock(descriptor, _offset(series) + first, count, folder=folder):
                    which = f"unit {first}" if count == 1 else f"some of units {first} to {first + count - 1}"
                    raise UnitsInUseError(
                        f"another run is rendering {which} of {series} in `{folder.parent}`; wait for it to end, or "
                        "give each run its own shard, such as --shard 1/2 and --shard 2/2"
                    )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def creation_lock(folder: Path | None, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """A context in which no other process creates the atlas or one of its series; waits for one that does.

    None, for an address, takes no lock. `on_wait` is called once if there is another.
    """
    if folder is None:
        yield
        return
    descriptor = _open(folder / "locks", "creating.lock")
    try:
        if on_wait is None or not _lock(descriptor, 0, 1, folder=folder):
            if on_wait is not None:
                on_wait()
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
    """Whether this process now holds the bytes."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        if os.uname().sysname == "Linux":
            # struct flock: type, whence, start, length, process (0 for these locks).
            request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, count, 0)
            fcntl.fcntl(descriptor, OFD_SETLKW if wait else OFD_SETLK, request)
        else:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), count, start)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise FeatvizError(
            f"`{folder}` is on a file system without locks ({error.strerror}); expected one with locks, so that two "
            "runs do not render the same units"
        ) from None
    return True


def _offset(series: str) -> int:
    """Where the bytes of a series start in the lock file: a multiple of 2^32, by the hash of its name."""
    return int(hashlib.sha256(series.encode()).hexdigest()[:7], 16) << 32
