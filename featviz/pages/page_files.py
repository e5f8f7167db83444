"""The site's files: each whole or not at all, and none touched that already says the same."""

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from featviz.errors import FeatvizError


def put(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all, with the folders that it needs; one that holds these bytes stays as it is.

    Unlike `write_whole` it does not wait for the disk, which takes longer than making the page: the site is drawn from
    the atlas's store, and drawing it once more mends what a power cut has spoiled.

    Raises: FeatvizError if it cannot be written.
    """
    temporary = path.with_name(f".featviz-{secrets.token_hex(8)}.tmp")
    try:
        if _holds(path, data):
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


def sweep(folder: Path, suffix: str, kept: Collection[str]) -> None:
    """Removes the files of an earlier writing: those with this suffix that are not among `kept`.

    Raises: FeatvizError if one cannot be removed.
    """
    try:
        for name in os.listdir(folder) if folder.is_dir() else ():
            if name.endswith(suffix) and name not in kept:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise FeatvizError(f"cannot remove from `{folder}`: {error.strerror or type(error).__name__}") from None


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False
