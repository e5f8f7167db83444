"""Who draws what: a kernel lock on the units of a series, which a dead process does not hold."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from featviz.errors import FeatvizError, in_one_line


@contextmanager
def hold(folder: Path, wanted: Iterable[tuple[str, Iterable[int]]]) -> Iterator[None]:
    """Holds the locks of units while within: of each series, by name, those units, ascending.

    A series has one lock file, a unit one byte of it, so that disjoint runs share a series. On a system without
    such locks (Windows) nothing is held.

    Raises: FeatvizError if another process holds one of them, or the folder takes no file.
    """
    descriptors: list[int] = []
    try:
        _take(folder, wanted, descriptors)
        yield
    finally:
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)


def _take(folder: Path, wanted: Iterable[tuple[str, Iterable[int]]], descriptors: list[int]) -> None:
    try:
        import fcntl
    except ImportError:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for series, units in wanted:
            descriptors.append(os.open(folder / f"{series}.lock", os.O_RDWR | os.O_CREAT, 0o666))
            for first, count in runs(units):
                try:
                    fcntl.lockf(descriptors[-1], fcntl.LOCK_EX | fcntl.LOCK_NB, count, first)
                except (BlockingIOError, PermissionError):
                    which = f"unit {first}" if count == 1 else f"some of the units {first} to {first + count - 1}"
                    raise FeatvizError(
                        f"another run is drawing {which} of {series} in `{folder.parent}`; wait for it to end, or give "
                        "each a share of its own, such as --shard 1/2 and --shard 2/2"
                    ) from None
    except OSError as error:
        raise FeatvizError(f"`{folder}` cannot be written: {error.strerror or in_one_line(error)}") from None


def runs(units: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs of neighbours: (first, how many).

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
