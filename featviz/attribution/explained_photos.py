"""The photos that an explanation is asked for, as the network gets them."""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np

from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.surveys.photos import ImageInput, Photo, find_photos, prepare

PhotoChoice: TypeAlias = "ImageInput | Iterable[ImageInput]"


def read_photos(photos: PhotoChoice, model: Model) -> list[tuple[Photo, np.ndarray]]:
    """Photos as the network gets them: scaled to cover its size and cropped to the center.

    Raises:
      FeatvizError: for a photo that cannot be read, or none at all.
    """
    listed = _as_list(photos)
    items: list[tuple[str, ImageInput]] = []
    for given in listed:
        if isinstance(given, str | os.PathLike) and Path(given).is_dir():
            items += [(name, image) for name, image, _ in find_photos(given).items(0)]
        else:
            items.append((Path(given).name if isinstance(given, str | os.PathLike) else "", given))
    read = []
    # Of pages, whose files are one on disks that ignore case.
    taken: set[str] = set()
    for index, (name, image) in enumerate(items):
        own = name or f"{index:06d}"
        numbered = (own if count == 1 else f"{count} {own}" for count in itertools.count(1))
        shown = next(each for each in numbered if each.casefold() not in taken)
        taken.add(shown.casefold())
        photo = prepare(shown, image, model.input.size, model.input.channels)
        if photo.pixels is None:
            raise FeatvizError(f"`photos`: `{shown}` cannot be read: {photo.fault}")
        read.append((photo, np.asarray(photo.pixels, np.float32) / 255))
    if not read:
        raise FeatvizError("`photos` is empty; expected a photo, a folder, or a list of them")
    return read


def _as_list(photos: PhotoChoice) -> Iterable[ImageInput]:
    """One photo as a list of it.

    Raises:
      FeatvizError: for what is neither a photo nor a list of them.
    """
    from PIL.Image import Image

    if isinstance(photos, str | os.PathLike | Image):
        return [photos]
    if isinstance(photos, np.ndarray):
        return [photos] if photos.ndim < 4 else list(photos)
    if not isinstance(photos, Iterable):
        raise FeatvizError(f"`photos` is a {type(photos).__name__}; expected a photo, a folder, or a list of them")
    return photos
