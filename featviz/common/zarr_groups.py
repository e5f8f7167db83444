"""What stores on the disk share: a Zarr group in a folder, whole or absent, which grows by rows and says its kind."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from featviz.common.files import GROUP_FILE, describe_folder, write_atomic
from featviz.errors import ArgumentError, FeatvizError, in_one_line


@contextmanager
def new_group(path: Path, *, purpose: str) -> Iterator[Any]:
    """A new Zarr group, which the block fills: the folder gets its name once the block has ended without an error.

    Args:
      path: a folder that is new or empty.
      purpose: what the folder is for, in words.

    Raises:
      FeatvizError: if the folder is not empty or cannot be made, or the group cannot be written.
    """
    import zarr

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            found = describe_folder(path, lacks="holds other things")
            raise ArgumentError(f"`{path}` {found}; expected a new folder for {purpose}")
        # Built under a temporary name, so that a folder of the final name is what it is for.
        building = Path(tempfile.mkdtemp(prefix=".featviz-", dir=path.parent))
        building.chmod(0o755)
    except OSError as error:
        raise FeatvizError(f"`{path}` cannot be made: {error.strerror}") from None
    try:
        yield zarr.open_group(building, mode="w", zarr_format=3)
        os.replace(building, path)
    except OSError as error:
        raise FeatvizError(f"`{path}` cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def checked_codecs(*, level: int = 1) -> list[Any]:
    """How the chunks of an array are written: compressed, with a checksum; one that does not match it is an error.

    Args:
      level: of zstd; 0 is its own default.
    """
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return [ZstdCodec(level=level), Crc32cCodec()]


def holds_kind(path: Path, kind: str) -> bool:
    """Whether a folder holds a group whose attributes say this `kind`, finished or not."""
    try:
        return json.loads((path / GROUP_FILE).read_text("utf-8")).get("attributes", {}).get("kind") == kind
    except (OSError, ValueError, AttributeError):
        return False


def write_rows(array: Any, start: int, values: np.ndarray) -> None:
    """Writes rows into a Zarr array from index `start` on; it grows where it is shorter.

    Args:
      array: the array.
      start: the index of the first row.
      values: the rows.
    """
    if array.shape[0] < start + len(values):
        array.resize((start + len(values), *array.shape[1:]))
    array[start : start + len(values)] = values


@contextmanager
def reading_errors(path: Path, name: str) -> Iterator[None]:
    """A context in which an array that cannot be decoded is named.

    Args:
      path: the folder of the group.
      name: the array's name in it.

    Raises:
      FeatvizError: if the block fails.
    """
    try:
        yield
    except IndexError:  # of the caller
        raise
    except Exception as error:  # a decoder may raise anything
        reason = in_one_line(error)
        remedy = "delete the folder and run its command again"
        raise FeatvizError(f"`{path}`: {name} is damaged: {reason}; {remedy}") from None


def write_json(folder: Path, name: str, value: Any) -> None:
    """Writes the file `name`.json beside the arrays, whole or not at all.

    Raises:
      FeatvizError: if it cannot be written.
    """
    write_atomic(folder / f"{name}.json", (json.dumps(value) + "\n").encode())


def read_json(folder: Path, name: str, default: Any) -> Any:
    """The content of such a file, or `default` if there is none.

    Raises:
      FeatvizError: if it cannot be read.
    """
    try:
        return json.loads((folder / f"{name}.json").read_text("utf-8"))
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        raise FeatvizError(f"`{folder}`: {name}.json cannot be read: {in_one_line(error)}") from None
