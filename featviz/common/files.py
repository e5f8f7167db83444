"""Atomic writing of files, undisturbed by Ctrl-C, and paths that are checked before the work starts."""

import contextlib
import json
import os
import secrets
import signal
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from featviz.errors import ArgumentError, FeatvizError, in_one_line, suggest

# In the folder of every store, with what it is of.
GROUP_FILE = "zarr.json"


def write_atomic(path: str | os.PathLike[str], data: bytes) -> Path:
    """Writes a file so that it is complete or absent, even if the process is killed: a temporary file, then renamed.

    Raises:
      FeatvizError: if the folder is missing or the file cannot be written.
    """
    target = Path(path)
    check_path(target)
    write_all_atomic([(target, data)])
    return target


def write_all_atomic(files: Iterable[tuple[Path, bytes]]) -> None:
    """Writes several files, each complete or absent, which get their names in this order.

    All bytes are written before the first renaming: a full disk is met before any file has changed.

    Raises:
      FeatvizError: if one of them cannot be written.
    """
    written: list[tuple[str, Path]] = []
    try:
        for target, data in files:
            written.append((_write_beside(target, data), target))
        while written:
            temporary, target = written[0]
            try:
                os.replace(temporary, target)
            except OSError as error:
                raise _write_error(target, error) from None
            written.pop(0)
    finally:
        for temporary, _ in written:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


@contextlib.contextmanager
def delayed_interrupts() -> Iterator[None]:
    """Delays Ctrl-C to the end of the block; outside the main thread it does nothing.

    >>> with delayed_interrupts():
    ...     pass
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[Any] = []
    handler = signal.signal(signal.SIGINT, lambda *args: received.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received:
        raise KeyboardInterrupt


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can be written there; tried with a file that is removed at once.

    Raises:
      FeatvizError: if the folder is missing or takes no file, or the path is a folder or a device.
    """
    target = Path(path)
    check_path(target)
    # Asking for permissions is not enough: root has them all, also on a read-only disk.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_write_beside(target, b""))
    return target


def check_folder(path: str | os.PathLike[str], *, purpose: str) -> Path:
    """Refuses a path at which, or above which, there is a file; makes nothing.

    Args:
      path: of a folder that is there or will be made.
      purpose: what the folder is for, in words.

    >>> check_folder("new/folder", purpose="the pages").name
    'folder'

    Raises:
      ArgumentError: that says where the file is.
    """
    target = Path(path)
    for place in (target, *target.parents):
        if place.is_dir():
            break
        if place.exists():
            raise ArgumentError(f"`{place}` is a file; expected a folder for {purpose}")
    return target


def check_path(target: Path) -> None:
    """Refuses a path whose folder is missing, and the path of a folder or a device; writes nothing.

    Raises:
      FeatvizError: that says which.
    """
    try:
        if not target.parent.is_dir():
            problem = "is not a folder" if target.parent.exists() else "does not exist"
            raise FeatvizError(f"`{target.parent}` {problem}; expected a folder for `{target.name}`")
        # Renaming onto a device such as /dev/null would put a file in its place.
        if not stat.S_ISREG(target.stat().st_mode):
            kind = "folder" if target.is_dir() else "device"
            raise FeatvizError(f"`{target}` is a {kind}; expected a path for a file")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _write_error(target, error) from None
    except FeatvizError:
        raise
    except ValueError as error:
        raise FeatvizError(f"`{target!s}` is not a path: {in_one_line(error)}") from None


def describe_folder(folder: Path, *, lacks: str) -> str:
    """What stands where a folder with something in it is expected, for an error: it lacks that, or is no folder.

    >>> describe_folder(Path("nowhere"), lacks="holds no atlas"), describe_folder(Path("."), lacks="holds no atlas")
    ('does not exist', 'holds no atlas')
    """
    if folder.is_dir():
        return f"has a damaged {GROUP_FILE}" if _is_damaged(folder / GROUP_FILE) else lacks
    return "is a file" if folder.exists() else "does not exist"


def _is_damaged(path: Path) -> bool:
    """Whether a file of JSON is there that cannot be read."""
    try:
        json.loads(path.read_text("utf-8"))
    except OSError:
        return False
    except ValueError:
        return True
    return False


def check_suffix(path: str | os.PathLike[str], choices: Sequence[str]) -> str:
    """The path's extension in lower case, one of `choices`.

    >>> check_suffix("a/103.PNG", (".png", ".webp"))
    '.png'

    Raises:
      FeatvizError: if it has no extension or another one.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in choices:
        problem = f"ends in `{suffix}`" if suffix else "has no extension"
        raise FeatvizError(f"`{path}` {problem}; {suggest(suffix.lower(), choices)}")
    return suffix.lower()


def _write_beside(target: Path, data: bytes) -> str:
    """Writes a temporary file in the target's folder, and returns its path."""
    # Not tempfile: its files are readable by their owner alone, and keep that when renamed.
    temporary = os.path.join(target.parent, f".featviz-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            # On the disk before it has its name: otherwise a power cut could leave the name and half the bytes.
            os.fsync(file.fileno())
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise _write_error(target, error) from None
        raise
    return temporary


def _write_error(target: Path, error: OSError) -> FeatvizError:
    return FeatvizError(f"cannot write `{target}`: {error.strerror or in_one_line(error)}")
