"""A survey: every unit's largest activation on each of many natural images, opened from the disk."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from featviz.common.files import describe_folder
from featviz.errors import ArgumentError, FeatvizError, suggest
from featviz.model import Layer, Model, hash_weights
from featviz.surveys.photos import Folder, prepare, quiet
from featviz.surveys.receptive_fields import Grid, receptive_fields
from featviz.surveys.reduction import grid_at
from featviz.surveys.survey_store import SurveyStore, describe_attribute, describe_weights, open_store

# Photographs on which receptive fields are measured.
MEASURED_PHOTOS = 4

# Which units of a layer: one, some, or a range.
Units = int | np.integer | slice | Sequence[int] | Int[np.ndarray, " units"]


class Survey:
    """The largest activation of each unit on each photograph: made by `fv.survey`, opened by `fv.open_survey`.

    Attributes:
      model: the network.
      store: the arrays on the disk.
      size: (height, width) to which photographs were cut.
      folder: that of the photographs.
      windows: k, where k x k overlapping windows of each photograph were surveyed.
      files: the names of the files.
      names: a name for each photograph, or for each window of it.
      faults: index -> why a photograph could not be read.
      readable: whether each photograph could be read, (photos,).

    Args:
      store: of the survey.
      model: the network.
      photos: where the folder of photographs is, if it has moved.

    Raises: FeatvizError if the survey is of other weights than the model's, or of another input.
    """

    def __init__(self, store: SurveyStore, model: Model, photos: str | os.PathLike[str] | None = None) -> None:
        attributes = store.attributes
        sha256 = hash_weights(model.weights)
        if attributes["network"]["weights_sha256"] != sha256:
            raise FeatvizError(
                f"`{store.path}` surveys {attributes['network']['name']} with other weights "
                f"({describe_weights(attributes['network'])}) than {model.name}'s ({sha256[:8]})"
            )
        if photos is not None and not Path(photos).is_dir():
            found = describe_folder(Path(photos), lacks="")
            raise ArgumentError(f"`photos`: `{photos}` {found}; expected the folder of the survey's photos")
        if attributes.get("input", model.input.encoding) != model.input.encoding:
            found, given = (describe_attribute("input", each) for each in (attributes["input"], model.input.encoding))
            raise FeatvizError(
                f"`{store.path}` surveys {attributes['network']['name']} with another input than {model.name}'s: "
                f"{found} in place of {given}"
            )
        self.store, self.model = store, model
        self.size: tuple[int, int] = tuple(attributes["size"])
        self.folder = Path(photos) if photos is not None else Path(attributes["photos"] or ".")
        self.windows = int(attributes["windows"])
        self.files: list[str] = store.read_json("photos", [])
        self.names = Folder(self.folder, tuple(self.files), self.windows).names[: store.done]
        self.faults: dict[str, str] = store.read_json("faults", {})
        self.readable: Bool[np.ndarray, " photos"] = np.array(
            [str(index) not in self.faults for index in range(store.done)], bool
        )

    def __repr__(self) -> str:
        layers = ", ".join(self.layers[:3]) + (", ..." if len(self.layers) > 3 else "")
        state = "" if self.complete else ", unfinished"
        return f"<Survey of {self.model.name}, {len(self)} photos, {layers}{state}>"

    def __len__(self) -> int:
        """How many photographs, unreadable ones included."""
        return self.store.done

    @property
    def complete(self) -> bool:
        """Whether all photographs have been surveyed."""
        return self.store.attributes["total"] == self.store.done

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that were surveyed."""
        return tuple(self.store.attributes["layers"])

    def layer(self, name: str) -> Layer:
        """A surveyed layer.

        Raises: FeatvizError, with the nearest name, for any other.
        """
        if name not in self.layers:
            raise FeatvizError(f"the survey has no layer `{name}`; {suggest(name, self.layers)}")
        return self.model.layer(name)

    def maxima(self, layer: str, *, units: Units = slice(None)) -> Float[np.ndarray, "photos ..."]:
        """The largest activations over interior positions, float32, nan where a photograph is unreadable.

        Args:
          layer: a surveyed layer.
          units: all by default; of one index the result is (photos,).

        Raises: FeatvizError for any other layer.
        """
        return self.store.column(self.layer(layer).name, "maxima", units=units)

    def positions(self, layer: str, *, units: Units = slice(None)) -> Int[np.ndarray, "photos ..."]:
        """The positions of these maxima, row * columns + column, int32, -1 where a photograph is unreadable."""
        return self.store.column(self.layer(layer).name, "positions", units=units)

    def grid(self, layer: str) -> Grid:
        """The rows and columns of the layer's positions at the size of the survey."""
        return grid_at(self.model, layer, self.size)

    def receptive_field(self, layer: str) -> int:
        """The side in pixels of the layer's effective receptive field, measured once and stored.

        Raises: FeatvizError for a layer that was not surveyed, or a survey without readable photographs.
        """
        known = self.store.read_json("receptive_fields", {})
        if layer not in known:
            indices = np.flatnonzero(self.readable)[:: max(1, int(self.readable.sum()) // MEASURED_PHOTOS)]
            indices = indices[:MEASURED_PHOTOS]
            if not len(indices):
                raise FeatvizError(f"`{self.store.path}` has no photos yet; expected a survey that has run")
            images = np.stack([self.photo(index) for index in indices]).astype(np.float32) / np.float32(255)
            known |= receptive_fields(self.model, images, (self.layer(layer).name,))
            with suppress(FeatvizError):  # a survey on a read-only disk: measured again the next time
                self.store.write_json("receptive_fields", known)
        return int(known[layer])

    def photo(self, index: int) -> UInt8[np.ndarray, "h w c"]:
        """A photograph as the network gets it.

        Raises: FeatvizError for an index out of range, or a photograph that is unreadable or no longer there.
        """
        if not 0 <= index < len(self):
            raise FeatvizError(f"`index` {index} is out of range; the survey has {len(self)} photos")
        if not self.readable[index]:
            raise FeatvizError(f"the photo `{self.names[index]}` cannot be read: {self.faults[str(index)]}")
        if "images" in self.store.group:
            return self.store.image(int(index))
        file, window = divmod(int(index), self.windows**2)
        name = self.files[file]
        with quiet():
            photo = prepare(
                name, self.folder / name, self.size, self.model.input.channels, window=(self.windows, window)
            )
        if photo.pixels is None:
            raise FeatvizError(
                f"the photo `{name}` cannot be read any more: {photo.fault}; `photos` says where they are"
            )
        return photo.pixels


def open_survey(path: str | os.PathLike[str], model: Model, *, photos: str | os.PathLike[str] | None = None) -> Survey:
    """A survey from the disk.

    Args:
      path: the folder that `fv.survey` or `featviz survey` has written.
      model: the network that was surveyed.
      photos: where its folder of images is now, if it has moved.

    Raises: FeatvizError if there is no survey, or it is of another network, other weights or another input.
    """
    return Survey(open_store(path, writable=os.access(path, os.W_OK)), model, photos)


def check_survey(survey: object, model: Model) -> None:
    """Refuses what is no survey of a network.

    Args:
      survey: as a caller gives it, or None.
      model: the network.

    Raises: FeatvizError for a survey of other weights or another input, or for what is no survey.
    """
    if survey is None:
        return
    if not isinstance(survey, Survey):
        raise FeatvizError(f"`survey` is {survey!r}; expected a survey, such as fv.open_survey gives")
    if survey.model is not model:
        # It is refused as where it is opened.
        Survey(survey.store, model)
