"""The magnitudes of natural images' spectra, by channel of decorrelated color."""

import hashlib
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from featviz.errors import FeatvizError, in_one_line

# Measured by `featviz spectrum` over 800 photographs.
SHIPPED = Path(__file__).with_name("natural_spectrum.safetensors")


@dataclass(frozen=True)
class Spectrum:
    """Mean magnitudes |rfft2|, (channels, size, size // 2 + 1) float32, of images of any scale; known by its hash.

    >>> flat = Spectrum.of(np.ones((3, 8, 5), np.float32))
    >>> flat.at((4, 6), 3).shape
    (4, 4, 3)
    """

    sha256: str
    values: np.ndarray = field(compare=False, repr=False, metadata={"canonical": False})

    @classmethod
    def of(cls, values: np.ndarray) -> "Spectrum":
        """Raises FeatvizError unless `values` are such magnitudes: finite, not negative, not all 0."""
        # Files and hashes are of bytes in order.
        values = np.ascontiguousarray(values, np.float32)
        if values.ndim != 3 or values.shape[1] < 4 or values.shape[2] != values.shape[1] // 2 + 1:
            raise FeatvizError(f"`spectrum` has shape {values.shape}; expected (channels, size, size // 2 + 1)")
        if not np.isfinite(values).all() or values.min() < 0 or values.max() == 0:
            raise FeatvizError("`spectrum` holds values that are no magnitudes; expected finite ones of 0 or more")
        return cls(hashlib.sha256(values.tobytes()).hexdigest(), values)

    def at(self, size: tuple[int, int], channels: int) -> np.ndarray:
        """The magnitudes of an image of `size`, (height, width // 2 + 1, channels), linear between frequencies.

        The mean's is 0. A gray image, or one of another number of channels, has the mean over this one's channels.
        """
        rows, columns = np.fft.fftfreq(size[0]), np.fft.rfftfreq(size[1])
        count = self.values.shape[1]
        # Rows in order of frequency, the highest at both ends. In the mean's own place, three times its neighbors:
        # what lies between is then 1 / f, as in photographs, for pictures larger than the table.
        table = np.fft.fftshift(self.values, axes=1)
        middle = count // 2
        table[:, middle, 0] = table[:, middle - 1, 0] + table[:, middle + 1, 0] + table[:, middle, 1]
        table = np.concatenate([table, table[:, :1]], axis=1)
        near = _linear(_linear(table, rows * count + middle, axis=1), columns * count, axis=2)
        near[:, 0, 0] = 0
        if channels != near.shape[0]:
            near = np.broadcast_to(near.mean(0), (channels, *near.shape[1:]))
        return np.ascontiguousarray(near.transpose(1, 2, 0), np.float32)


def _linear(table: np.ndarray, at: np.ndarray, *, axis: int) -> np.ndarray:
    first = np.clip(np.floor(at).astype(int), 0, table.shape[axis] - 2)
    weight = np.clip(at - first, 0, 1).astype(np.float32)
    weight = weight.reshape([-1 if each == axis else 1 for each in range(table.ndim)])
    return np.take(table, first, axis) * (1 - weight) + np.take(table, first + 1, axis) * weight


@lru_cache(maxsize=1)
def natural_spectrum() -> Spectrum:
    """The spectrum that featviz brings along.

    >>> natural_spectrum().values.shape
    (3, 256, 129)
    """
    return load_spectrum(SHIPPED)


def load_spectrum(path: str | os.PathLike[str]) -> Spectrum:
    """The spectrum of a `.safetensors` file that `featviz spectrum` has written, or of a `.npy` file.

    Raises: FeatvizError if the file cannot be read or holds no spectrum.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return Spectrum.of(np.load(path, allow_pickle=False))
        from safetensors.numpy import load_file

        return Spectrum.of(load_file(path)["spectrum"])
    except KeyError:
        raise FeatvizError(f"`{path.name}` holds no tensor `spectrum`; expected a file of `featviz spectrum`") from None
    except FeatvizError as error:
        raise FeatvizError(f"`{path.name}`: {error}") from None
    except Exception as error:
        raise FeatvizError(f"`{path.name}` cannot be read as a spectrum: {in_one_line(error)}") from None


def save_spectrum(spectrum: Spectrum) -> bytes:
    """The bytes of a `.safetensors` file, of half precision: relative errors of .0005 matter to no picture."""
    from safetensors.numpy import save

    scaled = spectrum.values / spectrum.values.max()
    return save({"spectrum": scaled.astype(np.float16)})
