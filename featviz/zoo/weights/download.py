"""Weights fetched from their official address into the user's cache: complete and checked, or not at all."""

import contextlib
import http.client
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from tqdm import tqdm

from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError, in_one_line
from featviz.zoo.entry import Source
from featviz.zoo.weights.https import RangeNotSatisfiable, Reply, check_url, request_file
from featviz.zoo.weights.weight_cache import cache_path, cached, exclusive, file_sha256, is_published

# No file of the zoo has more bytes than this.
MAX_BYTES = 2**33
CHUNK = 2**20
# How often one call resumes a broken connection, as long as each attempt brings something.
MAX_ATTEMPTS = 20
MEGABYTE = 1e6


def fetch(source: Source, *, progress: bool = True, loopback: bool = False) -> Path:
    """The source's file in the user's cache, fetched over HTTPS if it is not there.

    An interrupted fetch is resumed. The file gets its name only after its SHA-256, or the published beginning of it,
    was checked.

    Args:
        source: The file.
        progress: Whether a line and a progress bar are shown on stderr.
        loopback: Whether plain HTTP of this machine is allowed, for tests.

    Returns:
        The path of the file.

    Raises:
        FeatvizError: If the file cannot be fetched or written, or its SHA-256 is not the published one.
    """
    target = cache_path(source)
    if cached(source):
        return target
    check_url(source.url, loopback=loopback)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target):
            # Another process may have fetched it while this one waited.
            if not target.is_file():
                _fetch(source, target, progress, loopback)
    except OSError as error:
        raise FeatvizError(f"`{target}` cannot be written: {error.strerror or in_one_line(error)}") from None
    return target


def _fetch(source: Source, target: Path, progress: bool, loopback: bool) -> None:
    partial = target.with_name(target.name + ".partial")
    note = target.with_name(target.name + ".partial.version")
    with progress_bar(None, unit="B", unit_scale=True, desc=source.file, shown=progress) as bar:
        _download(source, partial, note, bar if progress else None, loopback)
    note.unlink(missing_ok=True)
    sha256 = file_sha256(partial)
    if not is_published(source, sha256):
        partial.unlink()
        raise _failed(source, f"the file received has the SHA-256 {sha256}; expected {source.sha256}; it is deleted")
    os.replace(partial, target)


def _download(source: Source, partial: Path, note: Path, bar: "tqdm | None", loopback: bool) -> None:
    """Completes `partial` from where it ends; `note` holds the version that its bytes are of."""
    announced = False
    for _ in range(MAX_ATTEMPTS):
        version = note.read_text("utf-8") if note.is_file() else None
        # Without a version only a published hash shows whether two halves are of one file.
        resumable = partial.is_file() and (version is not None or source.sha256 is not None)
        before = partial.stat().st_size if resumable else 0
        try:
            with request_file(source.url, offset=before, version=version, loopback=loopback) as reply:
                if bar is not None and not announced:
                    tqdm.write(_announcement(source, reply), file=sys.stderr)
                announced = True
                with _disk():
                    note.write_text(reply.version, "utf-8") if reply.version else note.unlink(missing_ok=True)
                size = _write(source, partial, reply, bar)
            if reply.total is None or size == reply.total:
                return
            trouble = f"the connection ended after {size:,} of {reply.total:,} bytes"
        except RangeNotSatisfiable as refused:
            if refused.total == before:
                return
            partial.unlink(missing_ok=True)
            note.unlink(missing_ok=True)
            trouble, before = "the server does not resume where it ended", -1
        except _WriteError as error:
            if not partial.is_file():
                note.unlink(missing_ok=True)
            raise error.error from None
        except FeatvizError as error:
            raise _failed(source, str(error)) from None
        except HTTPError as error:
            reason = " ".join(str(error.reason).split())
            raise _failed(source, f"{_host(source)} answers {error.code} {reason}") from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            reason = (isinstance(cause, OSError) and cause.strerror) or str(cause) or type(cause).__name__
            trouble = f"no connection to {_host(source)}: {' '.join(reason.split())}"
        if (partial.stat().st_size if partial.is_file() else 0) <= before:
            break
    if partial.is_file() and not partial.stat().st_size:
        partial.unlink()
        note.unlink(missing_ok=True)
    kept = "; the part received is kept, and the next attempt resumes there" if partial.is_file() else ""
    raise _failed(source, trouble + kept)


class _WriteError(Exception):
    """An error of the disk, as opposed to the connection."""

    def __init__(self, error: FeatvizError | OSError) -> None:
        self.error = error


def _write(source: Source, partial: Path, reply: Reply, bar: "tqdm | None") -> int:
    """Writes the reply behind what `partial` holds; returns the file's size."""
    size = reply.offset
    if (reply.total or 0) > MAX_BYTES:
        raise _WriteError(_failed(source, f"it has {reply.total:,} bytes; expected at most {MAX_BYTES:,}"))
    free = shutil.disk_usage(partial.parent).free
    if reply.total is not None and reply.total - size > free:
        needs = f"{(reply.total - size) / MEGABYTE:,.1f} MB"
        room = f"`{partial.parent}` has room for {free / MEGABYTE:,.1f} MB; {needs} are needed"
        raise _WriteError(_failed(source, f"{room} (FEATVIZ_CACHE may name another folder)"))
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
            # `read1` returns what has arrived, so that it is kept whatever interrupts this.
            while chunk := reply.stream.read1(CHUNK):
                size += len(chunk)
                if size > MAX_BYTES:
                    raise _WriteError(
                        _failed(source, f"it has more than {MAX_BYTES:,} bytes, the most that is expected")
                    )
                with _disk():
                    file.write(chunk)
                    file.flush()
                if bar is not None:
                    bar.update(len(chunk))
            with _disk():
                # On the disk before the file gets its name.
                os.fsync(file.fileno())
    except _WriteError:
        # Otherwise a full disk would stay full.
        partial.unlink(missing_ok=True)
        raise
    return size


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _WriteError(error) from None


def _host(source: Source) -> str:
    return urlsplit(source.url).hostname or source.url


def _announcement(source: Source, reply: Reply) -> str:
    total = reply.total or source.bytes
    size = f", {total / MEGABYTE:,.1f} MB" if total else ""
    resumed = f", from byte {reply.offset:,} on" if reply.offset else ""
    return f"fetching {source.url}{size}{resumed}"


def _failed(source: Source, reason: str) -> FeatvizError:
    alternative = f"get {source.url} yourself and pass weights=FILE (--weights FILE on the command line)"
    return FeatvizError(f"`{source.file}` cannot be fetched: {reason}; {alternative}")
