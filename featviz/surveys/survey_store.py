"""A survey on the disk: a Zarr group that grows by whole blocks of photos, and that any Zarr reader opens.

zarr.json          attributes: what was surveyed, `done` (photos taken in), `total` (once known)
photos.json        the photos' names, in their order
faults.json        number -> why a photo could not be read
layers/NAME/       maxima (photos, units) float32, positions (photos, units) int32; NAME is percent-encoded
images             (photos, h, w, c) uint8, where the photos came from no folder
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from featviz.common.files import write_whole
from featviz.errors import FeatvizError, in_one_line

KIND = "featviz survey"
# Photos a chunk: what a kill can cost, and one file a layer and array.
BLOCK = 128


def layer_path(layer: str) -> str:
    """The group of a layer; its name may hold anything.

    >>> layer_path("inception_4c/3x3")
    'layers/inception_4c%2F3x3'
    """
    return "layers/" + quote(layer, safe="")


class Store:
    """The arrays of one survey; `attributes` say what it is of."""

    def __init__(self, path: Path, group: Any) -> None:
        self.path = path
        self.group = group

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(self.group.attrs)

    @property
    def done(self) -> int:
        """How many photos have been taken in."""
        return int(self.group.attrs["done"])

    def append(
        self, start: int, layers: Mapping[str, tuple[np.ndarray, np.ndarray]], images: np.ndarray | None
    ) -> None:
        """Photos from number `start` on: each layer's maxima and positions; counted once all is on the disk.

        The same block a second time changes nothing. Raises: FeatvizError if it cannot be written.
        """
        count = len(next(iter(layers.values()))[0])
        try:
            for layer, (maxima, positions) in layers.items():
                for name, values in (("maxima", maxima), ("positions", positions)):
                    _write_rows(self.group[f"{layer_path(layer)}/{name}"], start, values)
            if images is not None:
                _write_rows(self.group["images"], start, images)
            self.group.attrs["done"] = start + count
        except OSError as error:
            raise FeatvizError(f"`{self.path}` cannot be written: {error.strerror}") from None

    def column(self, layer: str, name: str, *, units: slice | int | Sequence[int] = slice(None)) -> np.ndarray:
        """The values of some units over all photos, (photos, units)."""
        array = self.group[f"{layer_path(layer)}/{name}"]
        if isinstance(units, slice | int | np.integer):
            return np.asarray(array[: self.done, units])
        return np.asarray(array.oindex[: self.done, list(units)])

    def note(self, name: str, value: Any) -> None:
        """Writes a JSON file beside the arrays."""
        write_whole(self.path / f"{name}.json", (json.dumps(value) + "\n").encode())

    def noted(self, name: str, default: Any) -> Any:
        """What such a file holds, or `default` where there is none."""
        try:
            return json.loads((self.path / f"{name}.json").read_text("utf-8"))
        except FileNotFoundError:
            return default
        except (OSError, ValueError) as error:
            raise FeatvizError(f"`{self.path}`: {name}.json cannot be read: {in_one_line(error)}") from None


def _write_rows(array: Any, start: int, values: np.ndarray) -> None:
    if array.shape[0] < start + len(values):
        array.resize((start + len(values), *array.shape[1:]))
    array[start : start + len(values)] = values


def create(
    path: Path, attributes: Mapping[str, Any], layers: Mapping[str, int], image_shape: tuple[int, ...] | None
) -> Store:
    """A new survey without photos; `layers` gives each layer's units.

    Raises: FeatvizError if the folder is not empty or cannot be made.
    """
    import zarr

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FeatvizError(f"`{path}` holds other things; expected a new folder for the survey")
        # Built under another name: a folder with that of a survey is one.
        building = Path(tempfile.mkdtemp(prefix=".featviz-", dir=path.parent))
        building.chmod(0o755)
    except OSError as error:
        raise FeatvizError(f"`{path}` cannot be made: {error.strerror}") from None
    try:
        group = zarr.open_group(building, mode="w", zarr_format=3)
        for layer, units in layers.items():
            for name, dtype in (("maxima", "float32"), ("positions", "int32")):
                group.create_array(f"{layer_path(layer)}/{name}", shape=(0, units), chunks=(BLOCK, units), dtype=dtype)
        if image_shape is not None:
            group.create_array("images", shape=(0, *image_shape), chunks=(BLOCK // 8, *image_shape), dtype="uint8")
        group.attrs.update({"kind": KIND, "done": 0, "total": None, **attributes})
        os.replace(building, path)
    except OSError as error:
        raise FeatvizError(f"`{path}` cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return open_store(path, writable=True)


def is_survey(path: Path) -> bool:
    """Whether a folder holds a survey, finished or not."""
    try:
        return json.loads((path / "zarr.json").read_text("utf-8")).get("attributes", {}).get("kind") == KIND
    except (OSError, ValueError, AttributeError):
        return False


def open_store(path: str | os.PathLike[str], *, writable: bool = False) -> Store:
    """The survey of a folder.

    Raises: FeatvizError if there is none.
    """
    import zarr

    folder = Path(path)
    if not is_survey(folder):
        found = "holds no survey" if folder.is_dir() else "is a file" if folder.exists() else "does not exist"
        raise FeatvizError(f"`{folder}` {found}; expected a folder that `featviz survey` has written")
    try:
        return Store(folder, zarr.open_group(folder, mode="r+" if writable else "r"))
    except Exception as error:
        raise FeatvizError(f"`{folder}` is a damaged survey: {in_one_line(error)}") from None


def told(name: str, value: Any, *, most: int = 6) -> str:
    """What a survey is of, in a few words: the value of one of its attributes.

    >>> told("layers", ["conv1", "conv2"]), told("size", [64, 96]), told("windows", 2), told("photos", None)
    ('conv1, conv2', '64x96', '2', 'images out of Python')
    """
    match name:
        case "layers":
            more = f" and {len(value) - most} more" if len(value) > most else ""
            return ", ".join(value[:most]) + more
        case "network":
            return f"{value['name']} ({value['weights_sha256'][:8]})"
        case "size":
            return "x".join(map(str, value))
        case "photos":
            return "images out of Python" if value is None else f"`{value}`"
        case _:
            return str(value)
