"""An atlas on the disk: a Zarr group that any Zarr reader opens, one series in a group of its own.

zarr.json                     attributes: `kind`, `format`
plans/HASH/                   attributes: what a command planned
pictures/LAYER/ROLE-HASH/     attributes: what the series' pictures share; LAYER is percent-encoded
    pixels    (unit[, image], y, x, channel) uint8, a chunk a unit; alpha, where there is one, is the last channel
    score     (unit[, image]) float32: the objective on the clean image
    history   (unit, step) float32: the score of each step on transformed views, -inf after the last
    outcome   (unit) uint8: 0 while there is none, else an index of `OUTCOMES`; written last of an entry

`entries` reads and writes a series. Here is the group around them.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from featviz.atlas.entries import ARRAYS, Entries
from featviz.atlas.locks import creating
from featviz.errors import FeatvizError, in_one_line

KIND, FORMAT = "featviz atlas", 1
# The longest part of a path before its middle is replaced by a hash; file systems take 255 bytes.
LONGEST = 120
# What a run of ours may have left in a folder before there was an atlas.
OWN = ("locks", "journal")


def safe_part(name: str) -> str:
    """A name that may hold anything as one part of a path.

    >>> safe_part("inception_4c/3x3"), safe_part(".."), len(safe_part("x" * 999))
    ('inception_4c%2F3x3', '%2E%2E', 120)
    """
    text = quote(name, safe="").replace(".", "%2E") if set(name) <= {"."} else quote(name, safe="")
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{text[: LONGEST - 17]}~{digest}"


class Store:
    """The Zarr group of an atlas, in a folder or behind an address such as s3://bucket/atlas."""

    def __init__(self, place: str | Path, group: Any) -> None:
        self.place, self.group = place, group

    @property
    def folder(self) -> Path | None:
        """The folder, or None where it is no place on this machine's disk."""
        return self.place if isinstance(self.place, Path) else None

    def entries(self, path: str) -> Entries:
        """Those of a series. Raises KeyError if there are none."""
        return Entries(self.group[path], None if self.folder is None else self.folder / path)

    def paths(self) -> list[str]:
        """The series that there are, also of other recipes than the last."""
        if "pictures" not in self.group:
            return []
        layers = self.group["pictures"]
        return sorted(f"pictures/{layer}/{name}" for layer, of in layers.groups() for name, _ in of.groups())

    def plans(self) -> list[dict[str, Any]]:
        """What has been planned here, the last command's plan last."""
        if "plans" not in self.group:
            return []
        found = [dict(of.attrs) for _, of in self.group["plans"].groups()]
        return sorted(found, key=lambda plan: float(plan["at"]))

    def add_plan(self, name: str, plan: Mapping[str, Any]) -> None:
        """Keeps a plan, in place of an older one of its name."""
        path = f"plans/{name}"
        with creating(self.folder):
            if path in self.group:
                self.group[path].update_attributes(dict(plan))
            else:
                self.group.create_group(path, attributes=dict(plan))

    def add(self, path: str, shape: tuple[int, ...], units: int, steps: int, attributes: Mapping[str, Any]) -> Entries:
        """The series of a path; what is not there of it is made, `shape` is ([image,] y, x, channel).

        Metadata that cannot be read are written again: they follow from the plan, and the entries stay.
        """
        from zarr.codecs import Crc32cCodec, ZstdCodec

        with creating(self.folder):
            self._drop_damaged(path)
            made = (
                self.group[path] if path in self.group else self.group.create_group(path, attributes=dict(attributes))
            )
            several = ("image",) if len(shape) == 4 else ()
            for name, dtype, sides, dimensions, fill in (
                ("pixels", "uint8", shape, (*several, "y", "x", "channel"), 0),
                ("score", "float32", shape[:-3], several, np.nan),
                ("history", "float32", (steps,), ("step",), -np.inf),
                ("outcome", "uint8", (), (), 0),
            ):
                if name not in made:
                    made.create_array(
                        name,
                        shape=(units, *sides),
                        chunks=(1, *sides),
                        dtype=dtype,
                        fill_value=fill,
                        dimension_names=("unit", *dimensions),
                        # One file a chunk, in no folder of its own.
                        chunk_key_encoding={"name": "default", "separator": "."},
                        # A chunk that does not fit its checksum is found, not shown.
                        compressors=[ZstdCodec(level=1), Crc32cCodec()],
                    )
        return self.entries(path)

    def _drop_damaged(self, path: str) -> None:
        if self.folder is None:
            return
        for part in ("", *ARRAYS):
            file = self.folder / path / part / "zarr.json"
            with contextlib.suppress(FileNotFoundError):
                try:
                    json.loads(file.read_text("utf-8"))
                except ValueError:
                    file.unlink()


def open_store(place: str | Path, *, writable: bool = False, create: bool = False) -> Store:
    """The store of an atlas.

    Raises: FeatvizError if there is none and none is to be made, or the folder holds something else.
    """
    import zarr

    if isinstance(place, Path) and not is_atlas(place):
        _make_folder(place, create=create)
    folder = place if isinstance(place, Path) else None
    try:
        if create:
            with creating(folder):
                if folder is None or not is_atlas(folder):
                    _create(str(place))
        group = zarr.open_group(str(place), mode="r+" if writable or create else "r", zarr_format=3)
        kind, version = group.attrs.get("kind"), group.attrs.get("format")
    except OSError as error:
        done = "written" if create else "read"
        raise FeatvizError(f"`{place}` cannot be {done}: {error.strerror or in_one_line(error)}") from None
    except FeatvizError:
        raise
    except Exception as error:
        raise FeatvizError(f"`{place}` is no atlas that can be read: {in_one_line(error)}") from None
    if (kind, version) != (KIND, FORMAT):
        raise FeatvizError(f"`{place}` is {kind} {version}; expected {KIND} {FORMAT}")
    return Store(place, group)


def _create(place: str) -> None:
    """The group of a new atlas, in one write; what is there already stays."""
    import zarr
    from zarr.errors import ContainsGroupError

    with contextlib.suppress(ContainsGroupError):
        zarr.create_group(place, zarr_format=3, attributes={"kind": KIND, "format": FORMAT})


def _make_folder(place: Path, *, create: bool) -> None:
    if not create:
        found = "holds no atlas" if place.is_dir() else "is a file" if place.exists() else "does not exist"
        raise FeatvizError(f"`{place}` {found}; expected a folder that `featviz atlas` has written")
    try:
        place.mkdir(parents=True, exist_ok=True)
        # What another process leaves that begins the same atlas, or was killed as it began, is no hindrance.
        foreign = [each for each in place.iterdir() if each.name not in OWN and each.suffix != ".partial"]
    except OSError as error:
        raise FeatvizError(f"`{place}` cannot be made: {error.strerror}") from None
    if foreign and not is_atlas(place):
        raise FeatvizError(f"`{place}` holds other things; expected a new folder for the atlas")


def is_atlas(folder: Path) -> bool:
    """Whether a folder holds an atlas, finished or not."""
    try:
        return json.loads((folder / "zarr.json").read_text("utf-8")).get("attributes", {}).get("kind") == KIND
    except (OSError, ValueError, AttributeError):
        return False
