"""Photographs as a network sees them: found in a folder, decoded ahead in parallel, cut to its size."""

import os
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.common.photograph import flatten, from_array, upright
from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})
# Decoded images that wait for the device, in batches.
AHEAD = 3
# Windows along a side.
MOST_WINDOWS = 64


@dataclass(frozen=True)
class Photo:
    """One image: its name and its bytes, (h, w, channels) uint8; of one that cannot be read, why in their place."""

    name: str
    pixels: np.ndarray | None
    fault: str = ""


@dataclass(frozen=True)
class Folder:
    """All images of a folder and of those within it, sorted by name."""

    path: Path
    files: tuple[str, ...]
    windows: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each window of each file."""
        if self.windows == 1:
            return self.files
        return tuple(f"{name}#{window}" for name in self.files for window in range(self.windows**2))

    def each(self, start: int) -> Iterator[tuple[str, Any, int]]:
        """Name, file and window of each image from number `start` on."""
        of_each = self.windows**2
        for number, name in enumerate(self.names[start:], start):
            yield name, self.path / self.files[number // of_each], number % of_each


@dataclass(frozen=True)
class Stream:
    """Images of any iterable: paths, PIL images or arrays; without names they are numbered."""

    images: Iterable[Any]
    names: None = None
    windows: int = 1

    def each(self, start: int) -> Iterator[tuple[str, Any, int]]:
        """Name, image and window of each image from number `start` on."""
        for number, image in enumerate(islice(self.images, start, None), start):
            named = isinstance(image, str | os.PathLike)
            yield (Path(image).name if named else f"{number:06d}"), image, 0


Source = Folder | Stream


def find_photos(photos: str | os.PathLike[str] | Iterable[Any], *, windows: int = 1) -> Source:
    """The images of a folder, or of an iterable of paths, PIL images or arrays.

    Raises: FeatvizError if there is no such folder, or no image in it.
    """
    if not isinstance(photos, str | os.PathLike):
        if windows != 1:
            raise FeatvizError(f"`windows` is {windows} for images of no folder; expected 1, or a folder")
        if not isinstance(photos, Iterable):
            raise FeatvizError(f"`photos` is a {type(photos).__name__}; expected a folder, or a list of images")
        return Stream(photos)
    folder = Path(photos)
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise FeatvizError(f"`photos`: `{folder}` {found}; expected a folder of images")
    names = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not names:
        raise FeatvizError(
            f"`photos`: `{folder}` holds no image; expected files such as {', '.join(sorted(SUFFIXES)[:4])}"
        )
    return Folder(folder, tuple(names), windows)


def read_ahead(
    source: Source, size: tuple[int, int], *, channels: int, batch: int, start: int = 0
) -> Generator[list[Photo], None, None]:
    """Batches of images cut to `size` (height, width), decoded by as many threads as there are cores."""
    threads = os.cpu_count() or 1
    with quiet(), ThreadPoolExecutor(threads, "photos") as pool:
        waiting: deque[Future[Photo]] = deque()
        coming = source.each(start)
        ready: list[Photo] = []
        try:
            while True:
                for name, image, window in islice(coming, AHEAD * batch - len(waiting)):
                    cut = (source.windows, window)
                    waiting.append(pool.submit(prepare, name, image, size, channels, window=cut))
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
    """No warnings of decoders within, about damaged EXIF or huge sizes: what cannot be decoded raises.

    Of the main thread and for all others: the filters are one list, which threads that change it would leave changed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def prepare(name: str, image: Any, size: tuple[int, int], channels: int, *, window: tuple[int, int] = (1, 0)) -> Photo:
    """One image cut to `size`: scaled so that it just covers it, and its middle taken; antialiased.

    `window` is (a side's windows, number): with k of them the image covers (k + 1) / 2 times the size, and the k x k
    windows overlap by half or less.
    """
    from PIL import Image

    try:
        if isinstance(image, str | os.PathLike):
            with Image.open(image) as file:
                # JPEG decodes at a half or a quarter at no cost, still no smaller than what is wanted.
                file.draft("RGB" if channels == 3 else "L", ((window[0] + 1) * size[1], (window[0] + 1) * size[0]))
                return Photo(name, _cut(file, size, channels, window))
        opened = image if isinstance(image, Image.Image) else from_array(image)
        return Photo(name, _cut(opened, size, channels, window))
    # Decoders raise whatever they like on bytes that are not theirs.
    except Exception as error:
        return Photo(name, None, in_one_line(error))


def _cut(image: "Image", size: tuple[int, int], channels: int, window: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    image = upright(image)
    height, width = size
    count, number = window
    row, column = divmod(number, count)
    scale = (count + 1) / 2 * max(height / image.height, width / image.width)
    # In one resampling: the box of the source that becomes this window.
    wide, tall = width / scale, height / scale
    left, top = (
        slack * (at / (count - 1) if count > 1 else 0.5)
        for slack, at in ((image.width - wide, column), (image.height - tall, row))
    )
    flat = flatten(image, channels)
    box = (max(left, 0.0), max(top, 0.0), min(left + wide, image.width), min(top + tall, image.height))
    cut = np.asarray(flat.resize((width, height), Image.Resampling.BICUBIC, box=box))
    return cut if cut.ndim == 3 else cut[..., None]
