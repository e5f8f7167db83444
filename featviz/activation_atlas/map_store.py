"""A map on the disk: a Zarr group in the folder `map`.

zarr.json                     attributes: `kind`, and `shown`, the layout of the page
NAME/                         arrays that are written at once, such as the places of a layout, `whole` once they are; or
                              from the first row on, `done` so far
pictures/LEVEL-HASH/          the pictures of a level's cells, as an atlas keeps those of units (`atlas.atlas_store`)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from featviz.atlas.atlas_store import Store
from featviz.common.files import describe_folder
from featviz.common.zarr_groups import checked_codecs, holds_kind, new_group
from featviz.errors import ArgumentError, FeatvizError, in_one_line

KIND = "featviz activation atlas"
# The folders that a run writes into, beside the pages.
ACTIVATIONS, MAP, LOCKS = "activations", "map", "locks"

# Rows of a chunk of a growing array.
CHUNK_ROWS = 4096


def check_map_folder(out: Path) -> None:
    """Refuses a folder that holds something else than a map, before anything is written into it.

    Raises:
      FeatvizError: that says what is there.
    """
    if holds_kind(out / MAP, KIND) or not out.exists():
        return
    try:
        taken = not out.is_dir() or any(not _is_own(path) for path in out.iterdir())
    except OSError as error:
        raise FeatvizError(f"`{out}` cannot be read: {error.strerror or in_one_line(error)}") from None
    if taken:
        found = describe_folder(out, lacks="holds other files")
        raise FeatvizError(f"`{out}` {found}; expected a new folder for the activation atlas")


def open_map(out: Path) -> Store:
    """The store of the map in a folder, created where there is none.

    Args:
      out: a new folder, or that of a map.

    Raises:
      FeatvizError: if the folder holds something else, or cannot be written or read.
    """
    check_map_folder(out)
    if not holds_kind(out / MAP, KIND):
        with new_group(out / MAP, purpose="an activation atlas") as group:
            group.attrs["kind"] = KIND
    return _opened(out / MAP, mode="r+")


def read_map(out: Path) -> Store:
    """The store of the map in a folder, to read.

    Raises:
      FeatvizError: if there is none.
    """
    if not holds_kind(out / MAP, KIND):
        found = describe_folder(out, lacks="holds no activation atlas")
        raise ArgumentError(f"`{out}` {found}; expected a folder that `featviz activation-atlas` has written")
    return _opened(out / MAP, mode="r")


def _opened(folder: Path, *, mode: Literal["r", "r+"]) -> Store:
    import zarr

    try:
        return Store(folder, zarr.open_group(folder, mode=mode))
    except Exception as error:
        raise FeatvizError(f"`{folder}` holds a damaged map: {in_one_line(error)}") from None


def _is_own(path: Path) -> bool:
    """Whether a file or folder is one of a run that has begun, or was killed as it began."""
    return path.name in (ACTIVATIONS, MAP, LOCKS) or path.name.startswith(".featviz-")


def read_arrays(store: Store, name: str) -> dict[str, np.ndarray] | None:
    """The arrays of a group; None unless they are there, all and undamaged."""
    if name not in store.group or not store.group[name].attrs.get("whole"):
        return None
    try:
        return {key: np.asarray(array[:]) for key, array in store.group[name].arrays()}
    except Exception:  # a decoder may raise anything; what is damaged is computed again
        return None


def write_arrays(store: Store, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a group, which counts once all of them are on the disk.

    Raises:
      FeatvizError: if they cannot be written.
    """
    try:
        group: Any = store.group.require_group(name)
        group.attrs["whole"] = False
        for key, values in arrays.items():
            group.create_array(key, data=np.ascontiguousarray(values), compressors=checked_codecs(), overwrite=True)
        group.attrs["whole"] = True
    except OSError as error:
        raise FeatvizError(f"`{store.location}` cannot be written: {error.strerror or in_one_line(error)}") from None


def growing_arrays(store: Store, name: str, shapes: Mapping[str, tuple[tuple[int, ...], str]]) -> Any:
    """A group of arrays that are written from the first row on, with how much is `done` in its attributes.

    Args:
      store: of the map.
      name: of the group.
      shapes: array -> its shape and its type.

    Raises:
      FeatvizError: if they cannot be created.
    """
    try:
        if name in store.group and "done" in store.group[name].attrs:
            return store.group[name]
        group: Any = store.group.require_group(name)
        for key, (shape, kind) in shapes.items():
            chunks = (min(CHUNK_ROWS, shape[0]), *shape[1:])
            group.create_array(
                key, shape=shape, chunks=chunks, dtype=kind, compressors=checked_codecs(), overwrite=True
            )
        group.attrs["done"] = 0
        return group
    except OSError as error:
        raise FeatvizError(f"`{store.location}` cannot be written: {error.strerror or in_one_line(error)}") from None
