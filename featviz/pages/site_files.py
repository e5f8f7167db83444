"""A site's files: each is written completely or not at all, and one whose content is the same is left alone."""

import os
import secrets
from collections.abc import Callable, Collection
from pathlib import Path

from featviz.errors import FeatvizError

# Whether the site has a file at this address.
FileExists = Callable[[str], bool]


def write_if_changed(path: Path, data: bytes) -> None:
    """Writes a file completely or not at all, and the folders it needs; a file that has this content is left alone.

    Unlike `write_atomic` it does not flush to the disk, which takes longer than making the page. A site can always be
    written again from the atlas's store, for example after a power cut.

    Raises:
      FeatvizError: if it cannot be written.
    """
    temporary = path.with_name(f".featviz-{secrets.token_hex(8)}.tmp")
    try:
        if _has_content(path, data):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FeatvizError(f"cannot write `{path}`: {error.strerror or type(error).__name__}") from None


def remove_stale(folder: Path, suffix: str, current: Collection[str]) -> None:
    """Removes files of an earlier run: those in `folder` with this suffix whose names are not among `current`.

    Raises:
      FeatvizError: if one cannot be removed.
    """
    try:
        for name in os.listdir(folder) if folder.is_dir() else ():
            if name.endswith(suffix) and name not in current:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise FeatvizError(f"cannot remove from `{folder}`: {error.strerror or type(error).__name__}") from None


def cached_file_exists(folder: Path) -> FileExists:
    """A function that says whether the site in `folder` has a file; the disk is asked once for each address."""
    known: dict[str, bool] = {}

    def file_exists(address: str) -> bool:
        if address not in known:
            known[address] = (folder / address).is_file()
        return known[address]

    return file_exists


def _has_content(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False
