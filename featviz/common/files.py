"""Files that are written whole or not at all, and whether a path can take one, asked before the work."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from featviz.errors import FeatvizError, in_one_line, nearest


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Writes a file whole or not at all, even if the process is killed: a temporary file, then renamed.

    Raises: FeatvizError if the folder is missing or the file cannot be written.
    """
    target = Path(path)
    check_place(target)
    write_all([(target, data)])
    return target


def write_all(files: Iterable[tuple[Path, bytes]]) -> None:
    """Writes several files, each whole or not at all, named in their order.

    First all bytes, then all names: a full disk is met before any name has changed.

    Raises: FeatvizError if one of them cannot be written.
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
                raise _unwritable(target, error) from None
            written.pop(0)
    finally:
        for temporary, _ in written:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can be written there; tried with a file that is removed at once.

    Raises: FeatvizError if the folder is missing, takes no file, or the path is a folder or a device.
    """
    target = Path(path)
    check_place(target)
    # Asking for permissions is not enough: root has them all, also on a read-only disk.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_write_beside(target, b""))
    return target


def check_place(target: Path) -> None:
    """Refuses a path in no folder, or of a folder or a device; tries nothing.

    Raises: FeatvizError that says which.
    """
    try:
        if not target.parent.is_dir():
            found = "is not a folder" if target.parent.exists() else "does not exist"
            raise FeatvizError(f"`{target.parent}` {found}; expected a folder for `{target.name}`")
        # Renaming onto a device, /dev/null say, would put a file in its place.
        if not stat.S_ISREG(target.stat().st_mode):
            found = "folder" if target.is_dir() else "device"
            raise FeatvizError(f"`{target}` is a {found}; expected a path for a file")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(target, error) from None
    except FeatvizError:
        raise
    except ValueError as error:
        raise FeatvizError(f"`{target!s}` is no path: {in_one_line(error)}") from None


def known_suffix(path: str | os.PathLike[str], choices: Sequence[str]) -> str:
    """The path's extension in lower case, one of `choices`.

    >>> known_suffix("a/103.PNG", (".png", ".webp"))
    '.png'

    Raises: FeatvizError if it has none or another.
    """
    ending = Path(path).suffix
    if ending.lower() not in choices:
        found = f"ends in `{ending}`" if ending else "has no extension"
        raise FeatvizError(f"`{path}` {found}; {nearest(ending.lower(), choices)}")
    return ending.lower()


def _write_beside(target: Path, data: bytes) -> str:
    # Not tempfile: its files are readable by their owner alone, and keep that when renamed.
    temporary = os.path.join(target.parent, f".featviz-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            # On the disk before it has its name: else a power cut could leave the name and half the bytes.
            os.fsync(file.fileno())
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise _unwritable(target, error) from None
        raise
    return temporary


def _unwritable(target: Path, error: OSError) -> FeatvizError:
    return FeatvizError(f"cannot write `{target}`: {error.strerror or in_one_line(error)}")
