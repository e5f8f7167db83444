"""The mean spectrum of a folder of photographs, for MACO."""

from itertools import chain, islice

import numpy as np

from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError
from featviz.parameterizations.color import COLOR_MATRIX
from featviz.parameterizations.spectrum import Spectrum
from featviz.surveys.photos import Folder, PhotoInput, Source, Stream, find_photos, read_ahead

BATCH = 16


def measure_spectrum(
    photos: PhotoInput, *, size: int = 256, channels: int | None = None, progress: bool = True
) -> tuple[Spectrum, dict[str, str]]:
    """The mean amplitude spectrum of photographs: mean |rfft2(window * (t - mean(t)))|.

    t is the image in decorrelated colors. A Hann window suppresses the frequencies that edges would add, where opposite
    edges do not match. Memory does not grow with the number of photographs.

    Args:
      photos: a folder, or an iterable of paths, PIL images or arrays.
      size: pixels a side of the square to which every photograph is scaled and cropped.
      channels: how many; by default 3, or those of an array of more than four.
      progress: whether to show a progress bar.

    Returns: the spectrum, and name -> why a photograph was skipped.

    >>> gray = [np.random.default_rng(0).random((16, 16)).astype(np.float32)]
    >>> measure_spectrum(gray, size=16, channels=1, progress=False)[0].values.shape
    (1, 16, 9)

    Raises: FeatvizError if there is no such folder, or no image that can be read.
    """
    if size < 8 or size > 4096:
        raise FeatvizError(f"`size` is {size}; expected pixels from 8 to 4096")
    source = find_photos(photos)
    if channels is None:
        source, channels = _count_channels(source)
    line = np.hanning(size + 1)[:size]
    window = (line[:, None] * line[None, :]).astype(np.float32)[:, :, None]
    unmix = np.linalg.inv(COLOR_MATRIX).T.astype(np.float32)
    total = np.zeros((size, size // 2 + 1, channels))
    count, faults = 0, {}
    batches = read_ahead(source, (size, size), channels=channels, batch=BATCH)
    with progress_bar(None, unit="photo", desc="spectrum", shown=progress) as bar:
        for batch in batches:
            for photo in batch:
                if photo.pixels is None:
                    faults[photo.name] = photo.fault
                    continue
                t = photo.pixels.astype(np.float32) / 255
                t = t @ unmix if channels == 3 else t
                t = (t - t.mean((0, 1))) * window
                total += np.abs(np.fft.rfft2(t, axes=(0, 1)))
                count += 1
            bar.update(len(batch))
    if not count:
        name, fault = next(iter(faults.items()), ("none", "no image"))
        raise FeatvizError(f"`photos`: no image can be read; {name}: {fault}")
    return Spectrum.of((total / count).transpose(2, 0, 1)), faults


def _count_channels(source: Source) -> tuple[Source, int]:
    """The photographs, and 3, or the number of bands of the first if it is an array of more than four."""
    if isinstance(source, Folder):
        return source, 3
    images = iter(source.images)
    first = list(islice(images, 1))
    shape = first[0].shape if first and isinstance(first[0], np.ndarray) else ()
    return Stream(chain(first, images)), shape[2] if len(shape) == 3 and shape[2] > 4 else 3
