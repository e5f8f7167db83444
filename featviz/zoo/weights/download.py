"""Weights fetched from where they officially live into the user's cache: whole and checked, or not at all."""

import contextlib
import hashlib
import http.client
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from tqdm import tqdm

from featviz.common.user_cache import cache_folder
from featviz.errors import FeatvizError, in_one_line
from featviz.zoo.entry import Source
from featviz.zoo.weights.https import NothingLeft, Reply, ask, check_url

# No network of the zoo has more bytes than this.
LARGEST = 2**33
PIECE = 2**20
# How often a broken connection is taken up again in one call, as long as each time brings something.
ATTEMPTS = 20
MEGABYTE = 1e6


def place(source: Source) -> Path:
    """Where a source's file lies once it is fetched: in the cache, by its server and path.

    >>> place(Source("https://example.org/models/a.pth")).parts[-4:]
    ('weights', 'example.org', 'models', 'a.pth')

    Raises: FeatvizError if there is no place for a cache.
    """
    parts = urlsplit(source.url)
    words = [parts.netloc, *parts.path.strip("/").split("/"), *([parts.query] if parts.query else [])]
    # Whatever else an address may hold is no name of a file everywhere; `..` becomes `_`.
    safe = [re.sub(r"[^A-Za-z0-9._-]|^\.+$", "_", word) for word in words]
    try:
        return cache_folder().joinpath("weights", *safe)
    except RuntimeError as error:
        raise FeatvizError(f"there is no cache folder: {in_one_line(error)}; set FEATVIZ_CACHE to one") from None


def cached(source: Source) -> Path | None:
    """The source's file, if it is in the cache."""
    with contextlib.suppress(FeatvizError, OSError):
        if place(source).is_file():
            return place(source)
    return None


def fetch(source: Source, *, progress: bool = True, loopback: bool = False) -> Path:
    """The source's file in the user's cache, fetched over HTTPS if it is not there.

    A fetch that was broken off goes on where it ended. The file is checked by its SHA-256, or the beginning of it that
    is published, before it has its name. With `progress`, a line and a bar on stderr. `loopback` admits plain HTTP of
    this machine, for tests.

    Raises: FeatvizError, one line, if it cannot be reached, is another file than expected, or cannot be written.
    """
    target = place(source)
    if cached(source):
        return target
    check_url(source.url, loopback=loopback)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            # Another process may have fetched it while this one waited.
            if not target.is_file():
                _fetch(source, target, progress, loopback)
    except OSError as error:
        raise FeatvizError(f"`{target}` cannot be written: {error.strerror or in_one_line(error)}") from None
    return target


def discard(source: Source) -> bool:
    """Removes the source's file from the cache, unless its SHA-256 is the one published; whether it did."""
    with contextlib.suppress(OSError):
        file = place(source)
        if source.sha256 is None or not _is_published(source, _sha256(file)):
            file.unlink()
            return True
    return False


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_published(source: Source, found: str) -> bool:
    return source.sha256 is None or found.startswith(source.sha256.lower())


def _fetch(source: Source, target: Path, progress: bool, loopback: bool) -> None:
    partial = target.with_name(target.name + ".partial")
    note = target.with_name(target.name + ".partial.version")
    with tqdm(unit="B", unit_scale=True, desc=source.file, disable=None if progress else True) as bar:
        _download(source, partial, note, bar if progress else None, loopback)
    note.unlink(missing_ok=True)
    found = _sha256(partial)
    if not _is_published(source, found):
        partial.unlink()
        raise _failed(source, f"what came has the SHA-256 {found}; {source.sha256} was published; it is deleted")
    os.replace(partial, target)


def _download(source: Source, partial: Path, note: Path, bar: "tqdm | None", loopback: bool) -> None:
    """Brings the file into `partial`, whole, from where that ends."""
    said = False
    for _ in range(ATTEMPTS):
        version = note.read_text("utf-8") if note.is_file() else None
        # Without a version only a published hash can tell whether two halves are of one file.
        known = partial.is_file() and (version is not None or source.sha256 is not None)
        before = partial.stat().st_size if known else 0
        try:
            with ask(source.url, offset=before, version=version, loopback=loopback) as reply:
                if bar is not None and not said:
                    tqdm.write(_line(source, reply), file=sys.stderr)
                said = True
                with _disk():
                    note.write_text(reply.version, "utf-8") if reply.version else note.unlink(missing_ok=True)
                size = _write(source, partial, reply, bar)
            if reply.total is None or size == reply.total:
                return
            trouble = f"the connection ended after {size:,} of {reply.total:,} bytes"
        except NothingLeft as nothing:
            if nothing.total == before:
                return
            partial.unlink(missing_ok=True)
            note.unlink(missing_ok=True)
            trouble, before = "the server does not go on where it ended", -1
        except _Unwritten as error:
            if not partial.is_file():
                note.unlink(missing_ok=True)
            raise error.error from None
        except FeatvizError as error:
            raise _failed(source, str(error)) from None
        except HTTPError as error:
            told = " ".join(str(error.reason).split())
            raise _failed(source, f"{_host(source)} answers {error.code} {told}") from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            told = (isinstance(cause, OSError) and cause.strerror) or str(cause) or type(cause).__name__
            trouble = f"no connection to {_host(source)}: {' '.join(told.split())}"
        if (partial.stat().st_size if partial.is_file() else 0) <= before:
            break
    if partial.is_file() and not partial.stat().st_size:
        partial.unlink()
        note.unlink(missing_ok=True)
    kept = "; what came is kept, and the next try goes on from there" if partial.is_file() else ""
    raise _failed(source, trouble + kept)


class _Unwritten(Exception):  # noqa: N818
    """An error of the disk, not of the connection."""

    def __init__(self, error: FeatvizError | OSError) -> None:
        self.error = error


def _write(source: Source, partial: Path, reply: Reply, bar: "tqdm | None") -> int:
    """Writes what comes at its place; the size of the file then."""
    size = reply.offset
    if (reply.total or 0) > LARGEST:
        raise _Unwritten(_failed(source, f"it has {reply.total:,} bytes; at most {LARGEST:,} were expected"))
    free = shutil.disk_usage(partial.parent).free
    if reply.total is not None and reply.total - size > free:
        needs = f"{(reply.total - size) / MEGABYTE:,.1f} MB"
        room = f"`{partial.parent}` has room for {free / MEGABYTE:,.1f} MB; {needs} are needed"
        raise _Unwritten(_failed(source, f"{room} (FEATVIZ_CACHE may name another folder)"))
    if bar is not None:
        bar.total, bar.n = reply.total or source.bytes, size
        bar.refresh()
    try:
        with _disk():
            file = open(partial, "r+b" if partial.is_file() else "xb")  # noqa: SIM115
        with file:
            with _disk():
                file.truncate(size)
                file.seek(size)
            # What has come, not all that was asked for: so it is kept, whatever ends this.
            while piece := reply.stream.read1(PIECE):
                size += len(piece)
                if size > LARGEST:
                    raise _Unwritten(_failed(source, f"it has more than the {LARGEST:,} bytes expected at most"))
                with _disk():
                    file.write(piece)
                    file.flush()
                if bar is not None:
                    bar.update(len(piece))
            with _disk():
                # On the disk before it has its name.
                os.fsync(file.fileno())
    except _Unwritten:
        # A full disk would stay full with what can be fetched again.
        partial.unlink(missing_ok=True)
        raise
    return size


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Unwritten(error) from None


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Within, no other process fetches this file; waits for one that does. A dead one holds nothing."""
    try:
        import fcntl
    except ImportError:  # Windows: the last of two to end gives the file, which is whole either way
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
        # Who had it before has removed its file: this lock is then nobody's.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                break
        os.close(descriptor)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _host(source: Source) -> str:
    return urlsplit(source.url).hostname or source.url


def _line(source: Source, reply: Reply) -> str:
    total = reply.total or source.bytes
    large = f", {total / MEGABYTE:,.1f} MB" if total else ""
    rest = f", from byte {reply.offset:,} on" if reply.offset else ""
    return f"fetching {source.url}{large}{rest}"


def _failed(source: Source, what: str) -> FeatvizError:
    otherwise = f"get {source.url} otherwise and pass weights=FILE (--weights FILE on the command line)"
    return FeatvizError(f"`{source.file}` cannot be fetched: {what}; {otherwise}")
