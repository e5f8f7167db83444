"""The user's cache of fetched weights: where a source's file is kept, and what is known of it."""

import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from featviz.common.user_cache import cache_folder
from featviz.errors import FeatvizError, in_one_line
from featviz.zoo.entry import Source


def cache_path(source: Source) -> Path:
    """The path of a source's file in the cache, by server and path; it need not exist.

    Raises:
        FeatvizError: If no cache folder can be determined.

    >>> cache_path(Source("https://example.org/models/a.pth")).parts[-4:]
    ('weights', 'example.org', 'models', 'a.pth')
    """
    parts = urlsplit(source.url)
    words = [parts.netloc, *parts.path.strip("/").split("/"), *([parts.query] if parts.query else [])]
    # Characters that not every file system allows become `_`, and so does `..`.
    safe = [re.sub(r"[^A-Za-z0-9._-]|^\.+$", "_", word) for word in words]
    try:
        return cache_folder().joinpath("weights", *safe)
    except RuntimeError as error:
        raise FeatvizError(f"there is no cache folder: {in_one_line(error)}; set FEATVIZ_CACHE to one") from None


def cached(source: Source) -> Path | None:
    """The source's file, if it is in the cache."""
    with contextlib.suppress(FeatvizError, OSError):
        if cache_path(source).is_file():
            return cache_path(source)
    return None


def discard(source: Source) -> bool:
    """Removes the source's file from the cache unless its SHA-256 is the published one; returns whether it did."""
    with contextlib.suppress(OSError):
        file = cache_path(source)
        if source.sha256 is None or not is_published(source, file_sha256(file)):
            file.unlink()
            return True
    return False


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_published(source: Source, sha256: str) -> bool:
    """Whether a SHA-256 is the source's, or begins as it does; True where none is published."""
    return source.sha256 is None or sha256.startswith(source.sha256.lower())


@contextlib.contextmanager
def exclusive(target: Path) -> Iterator[None]:
    """A lock on one file of the cache; waits for another process that holds it. The lock of a dead process is free."""
    try:
        import fcntl
    except ImportError:  # Windows: the last of two processes replaces the file, which is complete either way
        yield
        return
    path = target.with_name(target.name + ".lock")
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with contextlib.suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tqdm.write(f"another process is fetching {target.name}; this one waits", file=sys.stderr)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Its last holder has removed the file: then this lock locks nothing.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                break
        os.close(descriptor)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
