"""Folders of bounded size: which of their files were not used for longest."""

import contextlib
from collections.abc import Callable, Iterable
from os import stat_result
from pathlib import Path


def least_recently_used(
    paths: Iterable[Path], *, last_used: Callable[[stat_result], float], max_bytes: int
) -> list[Path]:
    """The files to remove so that at most half of `max_bytes` stays; none where there are no more bytes than that.

    Args:
      paths: the files; those that are gone by now do not count.
      last_used: when a file was used last, in seconds.
      max_bytes: how many bytes all files may have together.
    """
    entries = []
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.stat()
            entries.append((last_used(status), status.st_size, path))
    total = sum(size for _, size, _ in entries)
    if total <= max_bytes:
        return []
    oldest = []
    for _, size, path in sorted(entries):
        if total <= max_bytes // 2:
            break
        oldest.append(path)
        total -= size
    return oldest
