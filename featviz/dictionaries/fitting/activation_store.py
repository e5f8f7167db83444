"""A layer's activations on the disk: a Zarr group of sharded arrays, which grows by photographs.

zarr.json          attributes: what was harvested, `done` (photos so far), `rows`, `norms`, `total` (once known)
faults.json        index -> why a photo could not be read
train/             values (rows, units) float32, photo (rows,) int32, position (rows,) int32
held_out/          the same of the photos that nothing is fitted to

A row is one position of one photo. Chunks are compressed and checksummed; a shard, one file, holds many.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.common.files import describe_folder
from featviz.common.zarr_groups import (
    checked_codecs,
    holds_kind,
    new_group,
    read_json,
    reading_errors,
    write_json,
    write_rows,
)
from featviz.errors import FeatvizError, in_one_line

KIND = "featviz activations"
TRAIN, HELD_OUT = "train", "held_out"
# A chunk is what is read at once: two megabytes, which the disk gives in one piece.
CHUNK_BYTES = 2 * 2**20
CHUNKS_PER_SHARD = 32


class Positions(NamedTuple):
    """Activations at positions of photographs.

    Args:
      values: of the layer, one row a position.
      photo: the index of each row's photograph.
      position: the index of each row among the layer's positions, class tokens counted.
    """

    values: Float[np.ndarray, "rows units"]
    photo: Int[np.ndarray, " rows"]
    position: Int[np.ndarray, " rows"]


class ActivationStore:
    """The activations of one layer on photographs.

    Attributes:
      path: the folder.
      group: its Zarr group.
    """

    def __init__(self, path: Path, group: Any) -> None:
        self.path, self.group = path, group

    @property
    def attributes(self) -> dict[str, Any]:
        """What was harvested: network, layer, size, photos, per_photo; `done`, `rows`, `norms` and `total`."""
        return dict(self.group.attrs)

    @property
    def units(self) -> int:
        """The units of the layer."""
        return int(self.group[f"{TRAIN}/values"].shape[1])

    @property
    def chunk(self) -> int:
        """The rows of a chunk."""
        return int(self.group[f"{TRAIN}/values"].chunks[0])

    def rows(self, part: str) -> int:
        """How many positions `TRAIN` or `HELD_OUT` has."""
        return int(self.group.attrs["rows"][part])

    def read(self, part: str, start: int, stop: int) -> Float[np.ndarray, "rows units"]:
        """The activations of rows, fewer where there are no more."""
        with reading_errors(self.path, f"{part}/values"):
            return np.asarray(self.group[f"{part}/values"][start : min(stop, self.rows(part))])

    def read_chunks(self, indices: Iterable[int]) -> Float[np.ndarray, "rows units"]:
        """The activations of chunks of `TRAIN`, one after the other."""
        chunk = self.chunk
        return np.concatenate([self.read(TRAIN, index * chunk, (index + 1) * chunk) for index in indices])

    def sample(self, max_rows: int) -> Float[np.ndarray, "rows units"]:
        """Activations of `TRAIN`: all, or evenly spread chunks of about `max_rows` rows, if there are more."""
        count = -(-self.rows(TRAIN) // self.chunk)
        taken = np.linspace(0, count - 1, min(count, max(1, max_rows // self.chunk))).astype(int)
        return self.read_chunks(np.unique(taken).tolist())

    def where(self, part: str) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
        """The photo and the position of each row."""
        count = self.rows(part)
        with reading_errors(self.path, f"{part}/photo and position"):
            return np.asarray(self.group[f"{part}/photo"][:count]), np.asarray(self.group[f"{part}/position"][:count])

    def append(self, parts: Mapping[str, Positions], done: int, attributes: Mapping[str, Any]) -> None:
        """Writes positions, which are counted once all of them are on the disk; idempotent.

        Args:
          parts: of `TRAIN` and `HELD_OUT`.
          done: how many photographs are stored then.
          attributes: what else is known then.

        Raises:
          FeatvizError: if they cannot be written.
        """
        counts = {}
        try:
            for part, rows in parts.items():
                start = self.rows(part)
                for name, values in rows._asdict().items():
                    write_rows(self.group[f"{part}/{name}"], start, values)
                counts[part] = start + len(rows.values)
            self.group.attrs.update({**attributes, "rows": counts, "done": done})
        except OSError as error:
            raise FeatvizError(f"`{self.path}` cannot be written: {error.strerror}") from None

    def write_faults(self, faults: Mapping[str, str]) -> None:
        """Keeps why photographs could not be read, by their index."""
        write_json(self.path, "faults", faults)

    def faults(self) -> dict[str, str]:
        """Why photographs could not be read, by their index."""
        found: dict[str, str] = read_json(self.path, "faults", {})
        return found


def chunk_rows(units: int) -> int:
    """The rows of a chunk, a power of two.

    >>> chunk_rows(192), chunk_rows(512), chunk_rows(4096)
    (2048, 1024, 128)
    """
    return int(2 ** np.clip(np.floor(np.log2(CHUNK_BYTES / (4 * units))), 4, 13))


def create_activations(path: Path, attributes: Mapping[str, Any], units: int) -> ActivationStore:
    """A new store without positions.

    Args:
      path: a folder that is new or empty.
      attributes: what is harvested.
      units: of the layer.

    Raises:
      FeatvizError: if the folder is not empty or cannot be made.
    """
    rows = chunk_rows(units)
    with new_group(path, purpose="activations") as group:
        for part in (TRAIN, HELD_OUT):
            for name, sides in (("values", (units,)), ("photo", ()), ("position", ())):
                group.create_array(
                    f"{part}/{name}",
                    shape=(0, *sides),
                    chunks=(rows, *sides),
                    shards=(CHUNKS_PER_SHARD * rows, *sides),
                    dtype="float32" if sides else "int32",
                    dimension_names=("row", "unit")[: 1 + len(sides)],
                    compressors=checked_codecs(),
                )
        start = {"done": 0, "total": None, "rows": {TRAIN: 0, HELD_OUT: 0}, "norms": None}
        group.attrs.update({"kind": KIND, **start, **attributes})
    return open_activations(path, writable=True)


def holds_activations(path: Path) -> bool:
    """Whether a folder holds a layer's activations, all of them or not."""
    return holds_kind(path, KIND)


def open_activations(path: str | os.PathLike[str], *, writable: bool = False) -> ActivationStore:
    """The activations of a folder.

    Raises:
      FeatvizError: if there are none.
    """
    import zarr

    folder = Path(path)
    if not holds_activations(folder):
        found = describe_folder(folder, lacks="holds no activations")
        raise FeatvizError(f"`{folder}` {found}; expected a folder that `featviz dictionary fit` has written")
    try:
        return ActivationStore(folder, zarr.open_group(folder, mode="r+" if writable else "r"))
    except Exception as error:
        raise FeatvizError(f"`{folder}` holds damaged activations: {in_one_line(error)}") from None
