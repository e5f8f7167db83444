"""A survey on the disk: a Zarr group that grows by blocks of photographs, and that any Zarr reader opens.

zarr.json          attributes: what was surveyed, `done` (photos so far), `total` (once known)
photos.json        the photos' names, in their order
faults.json        index -> why a photo could not be read
layers/NAME/       maxima (photos, units) float32, positions (photos, units) int32; NAME is percent-encoded
images             (photos, h, w, c) uint8, if the photos did not come from a folder
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from featviz.common.files import describe_folder
from featviz.common.safe_names import distinct_names, safe_name
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
from featviz.model.network_record import name_network

KIND = "featviz survey"
# Photos a chunk: one file for each layer and array, and what is lost if the process is killed.
BLOCK = 128


def layer_paths(layers: Iterable[str]) -> dict[str, str]:
    """The groups of a survey's layers, whose names may have any characters.

    >>> layer_paths(["inception_4c/3x3"])
    {'inception_4c/3x3': 'layers/inception_4c%2F3x3'}
    """
    return {layer: f"layers/{safe_name(name)}" for layer, name in distinct_names(layers).items()}


class SurveyStore:
    """The arrays and JSON files of one survey.

    Attributes:
      path: the folder.
      group: its Zarr group.
    """

    def __init__(self, path: Path, group: Any) -> None:
        self.path = path
        self.group = group
        self._paths = layer_paths(group.attrs.get("layers", ()))

    @property
    def attributes(self) -> dict[str, Any]:
        """What was surveyed: network, layers, size, photos, windows; `done` and `total`."""
        return dict(self.group.attrs)

    @property
    def done(self) -> int:
        """How many photographs are stored."""
        return int(self.group.attrs["done"])

    def append(
        self,
        start: int,
        layers: Mapping[str, tuple[Float[np.ndarray, "photos units"], Int[np.ndarray, "photos units"]]],
        images: UInt8[np.ndarray, "photos h w c"] | None,
    ) -> None:
        """Writes a block of photographs, which is counted once all of it is on the disk; idempotent.

        Args:
          start: the index of the block's first photograph.
          layers: layer -> maxima and positions.
          images: the photographs themselves, if they did not come from a folder.

        Raises: FeatvizError if the block cannot be written.
        """
        count = len(next(iter(layers.values()))[0])
        try:
            for layer, (maxima, positions) in layers.items():
                for name, values in (("maxima", maxima), ("positions", positions)):
                    write_rows(self.group[f"{self._paths[layer]}/{name}"], start, values)
            if images is not None:
                write_rows(self.group["images"], start, images)
            self.group.attrs["done"] = start + count
        except OSError as error:
            raise FeatvizError(f"`{self.path}` cannot be written: {error.strerror}") from None

    def column(
        self, layer: str, name: str, *, units: slice | int | np.integer | Sequence[int] | np.ndarray = slice(None)
    ) -> np.ndarray:
        """The values of units over all photographs, (photos, units), or (photos,) of one index.

        Args:
          layer: the layer's name.
          name: "maxima" or "positions".
          units: which units.

        Raises: FeatvizError if they cannot be read.
        """
        path = f"{self._paths[layer]}/{name}"
        with reading_errors(self.path, path):
            array = self.group[path]
            if isinstance(units, slice | int | np.integer):
                return np.asarray(array[: self.done, units])
            return np.asarray(array.oindex[: self.done, list(units)])

    def image(self, index: int) -> UInt8[np.ndarray, "h w c"]:
        """A stored photograph.

        Raises: FeatvizError if it cannot be read.
        """
        with reading_errors(self.path, "images"):
            return np.asarray(self.group["images"][index])

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file beside the arrays, whole or not at all."""
        write_json(self.path, name, value)

    def read_json(self, name: str, default: Any) -> Any:
        """The content of such a file, or `default` if there is none.

        Raises: FeatvizError if it cannot be read.
        """
        return read_json(self.path, name, default)


def create_store(
    path: Path, attributes: Mapping[str, Any], layers: Mapping[str, int], image_shape: tuple[int, ...] | None
) -> SurveyStore:
    """A new survey without photographs.

    Args:
      path: a folder that is new or empty.
      attributes: what is surveyed.
      layers: layer -> its number of units.
      image_shape: (h, w, c) if the photographs are stored too.

    Raises: FeatvizError if the folder is not empty or cannot be made.
    """
    with new_group(path, purpose="the survey") as group:
        paths = layer_paths(layers)
        for layer, units in layers.items():
            for name, dtype in (("maxima", "float32"), ("positions", "int32")):
                group.create_array(
                    f"{paths[layer]}/{name}",
                    shape=(0, units),
                    chunks=(BLOCK, units),
                    dtype=dtype,
                    compressors=checked_codecs(level=0),
                )
        if image_shape is not None:
            group.create_array(
                "images",
                shape=(0, *image_shape),
                chunks=(BLOCK // 8, *image_shape),
                dtype="uint8",
                compressors=checked_codecs(level=0),
            )
        group.attrs.update({"kind": KIND, "done": 0, "total": None, **attributes})
    return open_store(path, writable=True)


def is_survey(path: Path) -> bool:
    """Whether a folder holds a survey, finished or not."""
    return holds_kind(path, KIND)


def open_store(path: str | os.PathLike[str], *, writable: bool = False) -> SurveyStore:
    """The survey of a folder.

    Raises: FeatvizError if there is none.
    """
    import zarr

    folder = Path(path)
    if not is_survey(folder):
        found = describe_folder(folder, lacks="holds no survey")
        raise FeatvizError(f"`{folder}` {found}; expected a folder that `featviz survey` has written")
    try:
        return SurveyStore(folder, zarr.open_group(folder, mode="r+" if writable else "r"))
    except Exception as error:
        raise FeatvizError(f"`{folder}` is a damaged survey: {in_one_line(error)}") from None


def describe_weights(network: Mapping[str, str]) -> str:
    """The file of a surveyed network's weights, if it had one, and the first digits of their hash.

    >>> describe_weights({"weights": "net.safetensors", "weights_sha256": "5e602c76" * 8})
    'net.safetensors, 5e602c76'
    """
    return ", ".join([*([network["weights"]] if "weights" in network else []), network["weights_sha256"][:8]])


def describe_attribute(name: str, value: Any, *, max_layers: int = 6) -> str:
    """An attribute of a survey in a few words.

    >>> describe_attribute("layers", ["conv1", "conv2"]), describe_attribute("size", [64, 96])
    ('conv1, conv2', '64x96')
    >>> describe_attribute("windows", 2), describe_attribute("photos", None)
    ('2', 'images from Python')
    """
    match name:
        case "layers":
            more = f" and {len(value) - max_layers} more" if len(value) > max_layers else ""
            return ", ".join(value[:max_layers]) + more
        case "network":
            return name_network(value)
        case "input":
            return ", ".join(f"{key} {each}" for key, each in value.items())
        case "size":
            return "x".join(map(str, value))
        case "photos":
            return "images from Python" if value is None else f"`{value}`"
        case _:
            return str(value)
