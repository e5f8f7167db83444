"""An atlas on disk: a Zarr group that any Zarr reader opens, with one group per series.

zarr.json                     attributes: `kind`, `format`
plans/HASH/                   attributes: what a command planned
pictures/LAYER/ROLE-HASH/     attributes: what the pictures of a series share; LAYER is percent-encoded
    pixels    (unit[, image], y, x, channel) uint8, one chunk per unit; an alpha channel comes last
    score     (unit[, image]) float32: the objective on the untransformed image
    history   (unit, step) float32: the score at each step on transformed views, -inf after the last step
    looks/clean_history (unit, look, 1 + image) float32: steps done, and the scores of the untransformed images then;
              -inf after the last look; atlases of earlier versions lack it
    objective/json (unit, byte) uint8: what each unit maximizes, of facets of photographs; zeros after the text
    outcome   (unit) uint8: 0 for no entry, else an index of `OUTCOMES`; written last
    added/    the same arrays, one chunk per unit, of what was written since the series was compacted

`entries` reads and writes one series, `compaction` gathers its chunks in shards; this module has the group around them.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from featviz.atlas.entries import ARRAYS, CLEAN_HISTORY, LATER_ARRAYS, OBJECTIVE, Entries, complete_added
from featviz.atlas.entry_arrays import ADDED, ArrayLayout, create_array, shard_units
from featviz.atlas.entry_histories import count_looks
from featviz.atlas.locks import creation_lock
from featviz.common.files import describe_folder
from featviz.errors import ArgumentError, FeatvizError, in_one_line

KIND, FORMAT = "featviz atlas", 2
# What a run may have left in a folder before the atlas existed.
RUN_FOLDERS = ("locks", "journal")


class Store:
    """The Zarr group of an atlas, in a folder or at an address such as s3://bucket/atlas.

    Args:
      location: the folder's path, or the address.
      group: the open `zarr.Group`.
    """

    def __init__(self, location: str | Path, group: Any) -> None:
        self.location, self.group = location, group

    @property
    def folder(self) -> Path | None:
        """The folder on this machine's disk, or None for an address."""
        return self.location if isinstance(self.location, Path) else None

    def entries(self, path: str) -> Entries:
        """The entries of a series. Raises KeyError if there is no such series."""
        return Entries(self.group[path], None if self.folder is None else self.folder / path)

    def series_paths(self) -> list[str]:
        """The paths of all series, of every revision."""
        if "pictures" not in self.group:
            return []
        layers = self.group["pictures"]
        return sorted(f"pictures/{layer}/{name}" for layer, group in layers.groups() for name, _ in group.groups())

    def plans(self) -> list[dict[str, Any]]:
        """All plans, that of the latest command last."""
        if "plans" not in self.group:
            return []
        plans = [dict(group.attrs) for _, group in self.group["plans"].groups()]
        return sorted(plans, key=lambda plan: float(plan["time"]))

    def add_plan(self, name: str, plan: Mapping[str, object]) -> None:
        """Keeps a plan; replaces an older one of the same name."""
        path = f"plans/{name}"
        with creation_lock(self.folder):
            if path in self.group:
                self.group[path].update_attributes(dict(plan))
            else:
                self.group.create_group(path, attributes=dict(plan))

    def add_series(
        self,
        path: str,
        shape: tuple[int, ...],
        units: int,
        steps: int,
        attributes: Mapping[str, object],
        *,
        text_bytes: int = 0,
    ) -> Entries:
        """Creates a series, or what is missing of it.

        Metadata that cannot be read are written again: they follow from the plan, and the entries stay.

        Args:
          path: where the series lies.
          shape: of one entry, ([image,] y, x, channel).
          units: how many units the layer has.
          steps: the longest history.
          attributes: what the pictures share.
          text_bytes: room for the description of each entry's objective, 0 where the role says what it is.
        """
        with creation_lock(self.folder):
            self._remove_damaged_metadata(path)
            group = (
                self.group[path] if path in self.group else self.group.create_group(path, attributes=dict(attributes))
            )
            for name, layout in series_layouts(shape, units, steps, text_bytes=text_bytes).items():
                if name not in group:
                    sharded = self.folder is not None and holds_shards(self.folder / path / name)
                    create_array(group, name, layout, shards=shard_units(layout) if sharded else None)
            if ADDED in group:
                complete_added(group)
        return self.entries(path)

    def _remove_damaged_metadata(self, path: str) -> None:
        """Removes metadata that cannot be read, and those of a compaction that was killed as it replaced them."""
        if self.folder is None:
            return
        found = {}
        groups = dict.fromkeys(name.partition("/")[0] for name in LATER_ARRAYS)
        parts = ("", *ARRAYS, *groups, *LATER_ARRAYS)
        for part in (*parts, *(f"{ADDED}/{part}" for part in parts)):
            file = self.folder / path / part / "zarr.json"
            with contextlib.suppress(FileNotFoundError):
                try:
                    found[part] = json.loads(file.read_text("utf-8"))
                except ValueError:
                    file.unlink()
        # The outcomes are replaced last: before that, all entries are still there, one file a unit.
        if "outcome" in found and not _is_sharded(found["outcome"]):
            for part in (*ARRAYS, *LATER_ARRAYS):
                if _is_sharded(found.get(part, {})):
                    (self.folder / path / part / "zarr.json").unlink()


def series_layouts(shape: tuple[int, ...], units: int, steps: int, *, text_bytes: int = 0) -> dict[str, ArrayLayout]:
    """The arrays of a series.

    Args:
      shape: of one entry, ([image,] y, x, channel).
      units: how many units the layer has.
      steps: the longest history.
      text_bytes: of the objectives' descriptions; 0 for none.
    """
    image_axis, images = (("image",), shape[0]) if len(shape) == 4 else ((), 1)
    return {
        name: ArrayLayout((units, *sides), dtype, fill, ("unit", *dimensions))
        for name, dtype, sides, dimensions, fill in (
            ("pixels", "uint8", shape, (*image_axis, "y", "x", "channel"), 0),
            ("score", "float32", shape[:-3], image_axis, np.nan),
            ("history", "float32", (steps,), ("step",), -np.inf),
            (CLEAN_HISTORY, "float32", (count_looks(steps), 1 + images), ("look", "step_and_scores"), -np.inf),
            (OBJECTIVE, "uint8", (text_bytes,), ("byte",), 0),
            ("outcome", "uint8", (), (), 0),
        )
        if 0 not in sides
    }


def holds_shards(folder: Path) -> bool:
    """Whether the values of an array lie in shards: it has some, and no files of units."""
    return (folder / "c").is_dir() and not any(folder.glob("c.*"))


def _is_sharded(metadata: Mapping[str, Any]) -> bool:
    return any(codec.get("name") == "sharding_indexed" for codec in metadata.get("codecs", ()))


def open_store(location: str | Path, *, writable: bool = False, create: bool = False) -> Store:
    """The store of an atlas.

    Args:
      location: a folder's path, or an address of object storage.
      writable: whether entries can be written.
      create: whether a new atlas is created where there is none.

    Raises:
      FeatvizError: if there is no atlas and none is to be created, or the folder holds something else.
    """
    import zarr

    if isinstance(location, Path) and not is_atlas(location):
        _make_folder(location, create=create)
    folder = location if isinstance(location, Path) else None
    try:
        if create:
            with creation_lock(folder):
                if folder is None or not is_atlas(folder):
                    _create(str(location))
        group = zarr.open_group(str(location), mode="r+" if writable or create else "r", zarr_format=3)
        kind, version = group.attrs.get("kind"), group.attrs.get("format")
    except OSError as error:
        action = "written" if create else "read"
        raise FeatvizError(f"`{location}` cannot be {action}: {error.strerror or in_one_line(error)}") from None
    except FeatvizError:
        raise
    except Exception as error:
        raise FeatvizError(f"`{location}` is not an atlas that can be read: {in_one_line(error)}") from None
    if (kind, version) != (KIND, FORMAT):
        raise FeatvizError(f"`{location}` is {kind} {version}; expected {KIND} {FORMAT}")
    return Store(location, group)


def _create(location: str) -> None:
    """The group of a new atlas, in one write; an existing one stays."""
    import zarr
    from zarr.errors import ContainsGroupError

    with contextlib.suppress(ContainsGroupError):
        zarr.create_group(location, zarr_format=3, attributes={"kind": KIND, "format": FORMAT})


def _make_folder(folder: Path, *, create: bool) -> None:
    if not create:
        found = describe_folder(folder, lacks="holds no atlas")
        raise FeatvizError(f"`{folder}` {found}; expected a folder that `featviz atlas` has written")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Leftovers of a process that starts the same atlas, or was killed as it started, do not count.
        foreign = [path for path in folder.iterdir() if path.name not in RUN_FOLDERS and path.suffix != ".partial"]
    except OSError as error:
        raise FeatvizError(f"`{folder}` cannot be created: {error.strerror}") from None
    if foreign and not is_atlas(folder):
        found = describe_folder(folder, lacks="holds other files")
        raise ArgumentError(f"`{folder}` {found}; expected a new folder for the atlas")


def is_atlas(folder: Path) -> bool:
    """Whether a folder holds an atlas, complete or not."""
    try:
        return json.loads((folder / "zarr.json").read_text("utf-8")).get("attributes", {}).get("kind") == KIND
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def one_line_errors(store: Store) -> Iterator[None]:
    """A context in which a failed write is raised as a FeatvizError."""
    try:
        yield
    except OSError as error:
        raise FeatvizError(
            f"`{store.location}` cannot be written: {error.strerror or in_one_line(error)}; finished pictures are "
            "kept, and the same command continues"
        ) from None
