"""Photographs as a network gets them: listed from a folder, decoded ahead in parallel, cropped to its size."""

import os
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import UInt8

from featviz.common.bands import Box, is_band_file, read_bands, resize_bands, with_channels
from featviz.common.files import describe_folder
from featviz.common.photograph import apply_orientation, from_array, is_image_name, to_channels
from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    from PIL.Image import Image

# Batches that are decoded ahead of the device.
BATCHES_AHEAD = 3
# Windows along a side of a photograph.
MAX_WINDOWS = 64

# (windows along a side, index of one of them): (1, 0) is the center of the photograph.
Window = tuple[int, int]
# One image, of any size.
ImageInput: TypeAlias = "str | os.PathLike[str] | np.ndarray | Image"
# A folder of images, or images.
PhotoInput: TypeAlias = "str | os.PathLike[str] | Iterable[ImageInput]"


@dataclass(frozen=True)
class Photo:
    """One decoded image.

    Attributes:
      name: that of its file, or a numeral.
      pixels: uint8, None if it cannot be read.
      fault: why it cannot be read.
    """

    name: str
    pixels: UInt8[np.ndarray, "h w c"] | None
    fault: str = ""


@dataclass(frozen=True)
class Folder:
    """All images of a folder and its subfolders, sorted by name; of each file `windows` x `windows` windows."""

    path: Path
    files: tuple[str, ...]
    windows: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each image: that of the file, with the index of the window if there are several."""
        if self.windows == 1:
            return self.files
        return tuple(f"{name}#{window}" for name in self.files for window in range(self.windows**2))

    def items(self, start: int) -> Iterator[tuple[str, ImageInput, int]]:
        """Name, file and index of the window of every image from index `start` on."""
        per_file = self.windows**2
        for index, name in enumerate(self.names[start:], start):
            yield name, self.path / self.files[index // per_file], index % per_file


@dataclass(frozen=True)
class Stream:
    """The images of any iterable: paths, PIL images or arrays, which are numbered if they have no name."""

    images: Iterable[ImageInput]
    names: None = None
    windows: int = 1

    def items(self, start: int) -> Iterator[tuple[str, ImageInput, int]]:
        """Name, image and index of the window of every image from index `start` on."""
        for index, image in enumerate(islice(self.images, start, None), start):
            name = Path(image).name if isinstance(image, str | os.PathLike) else f"{index:06d}"
            yield name, image, 0


Source = Folder | Stream


def find_photos(photos: PhotoInput, *, windows: int = 1) -> Source:
    """The images of a folder, or of an iterable.

    Args:
      photos: a folder, searched recursively, or an iterable of paths, PIL images or arrays.
      windows: along a side of each photograph; only for a folder.

    Raises: FeatvizError if there is no such folder, or no image in it.
    """
    if not isinstance(photos, str | os.PathLike):
        if windows != 1:
            raise FeatvizError(f"`windows` is {windows} for images from Python; expected 1, or a folder")
        if not isinstance(photos, Iterable):
            raise FeatvizError(f"`photos` is a {type(photos).__name__}; expected a folder, or a list of images")
        return Stream(photos)
    folder = Path(photos)
    if not folder.is_dir():
        found = describe_folder(folder, lacks="holds no image")
        raise FeatvizError(f"`photos`: `{folder}` {found}; expected a folder of images")
    found_files = (path for path in folder.rglob("*") if is_image_name(path) or is_band_file(path))
    names = sorted(str(path.relative_to(folder)) for path in found_files if path.is_file())
    if not names:
        raise FeatvizError(f"`photos`: `{folder}` holds no image; expected files such as .jpg, .png, .webp, .tif, .npy")
    return Folder(folder, tuple(names), windows)


def some_photos(photos: PhotoInput, most: int) -> Source:
    """At most so many images: evenly spread ones of a larger folder, the first ones of an iterable.

    Args:
      photos: a folder, searched recursively, or an iterable of paths, PIL images or arrays.
      most: how many.

    Raises: FeatvizError if there is no such folder, or no image in it.
    """
    source = find_photos(photos)
    if isinstance(source, Stream):
        return Stream(list(islice(source.images, most)))
    count = min(most, len(source.files))
    indices = np.linspace(0, len(source.files) - 1, count).round().astype(int)
    return replace(source, files=tuple(source.files[index] for index in indices))


def read_ahead(
    source: Source, size: tuple[int, int], *, channels: int, batch: int, start: int = 0
) -> Generator[list[Photo], None, None]:
    """Batches of decoded images, by as many threads as there are cores.

    Args:
      source: what `find_photos` gives.
      size: (height, width) to which they are cropped.
      channels: how many the network takes.
      batch: images a batch; the last one may have fewer.
      start: the index of the first image.
    """
    threads = os.cpu_count() or 1
    with quiet(), ThreadPoolExecutor(threads, "photos") as pool:
        waiting: deque[Future[Photo]] = deque()
        coming = source.items(start)
        ready: list[Photo] = []
        try:
            while True:
                for name, image, window in islice(coming, BATCHES_AHEAD * batch - len(waiting)):
                    which = (source.windows, window)
                    waiting.append(pool.submit(prepare, name, image, size, channels, window=which))
                if not waiting:
                    break
                ready.append(waiting.popleft().result())
                if len(ready) == batch:
                    yield ready
                    ready = []
            if ready:
                yield ready
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def quiet() -> Iterator[None]:
    """Silences decoders, which warn of damaged EXIF data or huge sizes: what cannot be decoded raises anyhow.

    For the main thread to enter, on behalf of all: the filters are one list, which concurrent changes would corrupt.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def prepare(name: str, image: ImageInput, size: tuple[int, int], channels: int, *, window: Window = (1, 0)) -> Photo:
    """One image, scaled to cover `size` and cropped to its center, antialiased; a fault if it cannot be read.

    Args:
      name: for the result.
      image: a path, a PIL image or an array. A `.npy` file is an array.
      size: (height, width).
      channels: 1 for gray, 3 for RGB; any other number is that of the image's own bands.
      window: (k, index). With k windows along a side the image covers (k + 1) / 2 times the size, and the k x k windows
        overlap by half or less.
    """
    from PIL import Image

    try:
        if channels not in (1, 3):
            return Photo(name, _crop_bands(with_channels(read_bands(image), channels), size, window))
        if isinstance(image, str | os.PathLike) and is_band_file(image):
            image = read_bands(image)
        if isinstance(image, str | os.PathLike):
            with Image.open(image) as file:
                # JPEG decodes at a half or a quarter of its size at no cost; never below what is needed.
                file.draft("RGB" if channels == 3 else "L", ((window[0] + 1) * size[1], (window[0] + 1) * size[0]))
                return Photo(name, _crop(file, size, channels, window))
        opened = image if isinstance(image, Image.Image) else from_array(image)
        return Photo(name, _crop(opened, size, channels, window))
    # Decoders raise exceptions of any type on bytes of another format.
    except Exception as error:
        return Photo(name, None, in_one_line(error))


def _crop(image: "Image", size: tuple[int, int], channels: int, window: Window) -> UInt8[np.ndarray, "h w c"]:
    from PIL import Image

    image = apply_orientation(image)
    height, width = size
    box = _box((image.height, image.width), size, window)
    flat = to_channels(image, channels)
    pixels = np.asarray(flat.resize((width, height), Image.Resampling.BICUBIC, box=box))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _crop_bands(
    bands: UInt8[np.ndarray, "h w c"], size: tuple[int, int], window: Window
) -> UInt8[np.ndarray, "height width c"]:
    return resize_bands(bands, size, box=_box(bands.shape[:2], size, window))


def _box(source: tuple[int, ...], size: tuple[int, int], window: Window) -> Box:
    """The part of an image of size `source` (height, width) that becomes the window, in one resampling."""
    height, width = size
    tall_source, wide_source = source
    count, index = window
    row, column = divmod(index, count)
    scale = (count + 1) / 2 * max(height / tall_source, width / wide_source)
    wide, tall = width / scale, height / scale
    left, top = (
        slack * (offset / (count - 1) if count > 1 else 0.5)
        for slack, offset in ((wide_source - wide, column), (tall_source - tall, row))
    )
    return (max(left, 0.0), max(top, 0.0), min(left + wide, wide_source), min(top + tall, tall_source))
