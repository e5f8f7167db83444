"""Example photos of a unit: which ones, cropped to its receptive field, and where the crop lies in the source file."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from featviz.common.bands import is_band_file, shown_bands
from featviz.common.progress import progress_bar
from featviz.pages.records import PhotoCrop
from featviz.surveys.photos import quiet
from featviz.surveys.receptive_fields import Box
from featviz.surveys.statistics import INTERVALS, Example, examples
from featviz.surveys.survey import Survey

# Photos of the interval of the largest activations, which say the most, and of every other interval.
LARGEST, PER_INTERVAL = 9, 4
# EXIF's tag of the camera's orientation, and those of its values that exchange width and height.
ORIENTATION, SIDEWAYS = 0x0112, range(5, 9)


@dataclass(frozen=True)
class SourcePhoto:
    """The file that a surveyed photo was read from.

    Attributes:
      href: its file:// address.
      size: (width, height) in pixels, upright.
      window: (windows per side, index) of the window that was surveyed (`featviz.surveys.photos.prepare`).
    """

    href: str
    size: tuple[int, int]
    window: tuple[int, int]


def choose_examples(survey: Survey, layer: str, unit: int) -> list[Example]:
    """Nine photos with the largest activations, and four around every other percentile."""
    available, chosen = examples(survey, layer, unit, per_interval=LARGEST), []
    for percentile in INTERVALS:
        interval = [example for example in available if example.percentile == percentile]
        count = LARGEST if percentile == 100 else PER_INTERVAL
        # Sorted by decreasing activation: the smallest come last, those nearest to a percentile in the middle.
        spare = max(len(interval) - count, 0)
        first = spare if percentile == 0 else spare // 2
        chosen.extend(interval[first : first + count])
    return chosen


def crop_examples(
    survey: Survey, chosen: dict[int, list[Example]], *, progress: bool = False
) -> dict[int, tuple[PhotoCrop, ...]]:
    """The examples of each unit, cropped to its receptive field. Every photo is opened once."""
    boxes: dict[int, set[Box]] = {}
    for example in (example for of_unit in chosen.values() for example in of_unit):
        boxes.setdefault(example.index, set()).add(example.box)
    cropped: dict[tuple[int, Box], tuple[UInt8[np.ndarray, "h w c"], SourcePhoto | None]] = {}
    for index in progress_bar(sorted(boxes), unit="photo", shown=progress):
        photo, source = survey.photo(index), source_photo(survey, index)
        # Views if copies take more memory than the photo, which views keep alive.
        views = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes[index]) >= photo[..., 0].size
        for box in boxes[index]:
            left, top, right, bottom = box
            pixels = shown_bands(photo[top:bottom, left:right], survey.model.input.rgb)
            cropped[index, box] = (pixels if views else pixels.copy(), source)
    return {
        unit: tuple(_photo_crop(example, *cropped[example.index, example.box], survey.size) for example in of_unit)
        for unit, of_unit in chosen.items()
    }


def _photo_crop(
    example: Example, pixels: UInt8[np.ndarray, "h w c"], source: SourcePhoto | None, size: tuple[int, int]
) -> PhotoCrop:
    known = (example.percentile, example.activation, example.photo, pixels)
    if source is None:
        return PhotoCrop(*known, None, None, None)
    box = to_source_box(example.box, size, source.size, window=source.window)
    return PhotoCrop(*known, source.href, source.size, box)


def source_photo(survey: Survey, index: int) -> SourcePhoto | None:
    """The file of a surveyed photo; None if the survey stores its photos itself, or if it is no image of colors."""
    if "images" in survey.store.group:
        return None
    file, window = divmod(index, survey.windows**2)
    path = (survey.folder / survey.files[file]).resolve()
    if survey.model.input.channels not in (1, 3) or is_band_file(path):
        return None  # browsers show no such file
    return SourcePhoto(path.as_uri(), _upright_size(path), (survey.windows, window))


def to_source_box(
    box: Box, size: tuple[int, int], photo_size: tuple[int, int], *, window: tuple[int, int] = (1, 0)
) -> tuple[float, float, float, float]:
    """A box in the network's input as a box in the source photo, in pixels.

    With k windows per side, the photo was scaled to (k + 1) / 2 times the size that covers the input, and the window
    was cropped from it.

    Args:
      box: (left, top, right, bottom) in the input.
      size: (height, width) of the input.
      photo_size: (width, height) of the photo.
      window: (windows per side, index).

    >>> to_source_box((0, 0, 50, 100), (100, 100), (400, 200))
    (100.0, 0.0, 200.0, 200.0)
    >>> to_source_box((0, 0, 50, 100), (100, 100), (400, 200), window=(2, 1))
    (266.66..., 0.0, 333.33..., 133.33...)
    """
    count, index = window
    row, column = divmod(index, count)
    scale = (count + 1) / 2 * max(size[0] / photo_size[1], size[1] / photo_size[0])
    left, top = (
        max(full - side / scale, 0.0) * (offset / (count - 1) if count > 1 else 0.5)
        for full, side, offset in ((photo_size[0], size[1], column), (photo_size[1], size[0], row))
    )
    return left + box[0] / scale, top + box[1] / scale, left + box[2] / scale, top + box[3] / scale


def _upright_size(path: Path) -> tuple[int, int]:
    """The (width, height) of an image file, without decoding its pixels."""
    from PIL import Image

    turned = False
    with quiet(), Image.open(path) as file:
        with suppress(ValueError, SyntaxError, TypeError, KeyError, EOFError):  # from damaged EXIF
            turned = file.getexif().get(ORIENTATION, 1) in SIDEWAYS
        width, height = file.size
    return (height, width) if turned else (width, height)
