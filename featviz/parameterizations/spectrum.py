"""The magnitudes of natural images' Fourier spectra, by channel of decorrelated color."""

import hashlib
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from featviz.errors import FeatvizError, in_one_line

# Measured by `featviz spectrum` over 800 photographs.
SHIPPED = Path(__file__).with_name("natural_spectrum.safetensors")


@dataclass(frozen=True)
class Spectrum:
    """Mean magnitudes |rfft2| of images, of any scale; identified by their hash.

    Args:
      sha256: the hash of the values' bytes.
      values: (channels, size, size // 2 + 1), float32. Build it with `Spectrum.of`.

    >>> flat = Spectrum.of(np.ones((3, 8, 5), np.float32))
    >>> flat.resample((4, 6), 3).shape
    (4, 4, 3)
    """

    sha256: str
    values: Float[np.ndarray, "c s f"] = field(compare=False, repr=False, metadata={"canonical": False})

    @classmethod
    def of(cls, values: Float[np.ndarray, "c s f"]) -> "Spectrum":
        """The spectrum of these magnitudes.

        Raises:
          FeatvizError: if they have another shape, are negative, not finite, or all 0.
        """
        # The hash is of the bytes in C order.
        values = np.ascontiguousarray(values, np.float32)
        if values.ndim != 3 or values.shape[1] < 4 or values.shape[2] != values.shape[1] // 2 + 1:
            raise FeatvizError(f"`spectrum` has shape {values.shape}; expected (channels, size, size // 2 + 1)")
        if not np.isfinite(values).all() or values.min() < 0 or values.max() == 0:
            raise FeatvizError("`spectrum` holds values that are no magnitudes; expected finite values of 0 or more")
        return cls(hashlib.sha256(values.tobytes()).hexdigest(), values)

    def resample(self, size: tuple[int, int], channels: int) -> Float[np.ndarray, "h f c"]:
        """The magnitudes of an image of `size`, linear between frequencies.

        Args:
          size: the image's height and width.
          channels: its channels; if they are not this spectrum's, each gets the mean over them.

        Returns:
          (height, width // 2 + 1, channels), with 0 for the mean, frequency 0.
        """
        rows, columns = np.fft.fftfreq(size[0]), np.fft.rfftfreq(size[1])
        count = self.values.shape[1]
        # Rows in order of frequency, the highest at both ends. At frequency 0, three times its neighbors: between them
        # the interpolation is then 1 / f, as in photographs, for pictures larger than the table.
        table = np.fft.fftshift(self.values, axes=1)
        middle = count // 2
        table[:, middle, 0] = table[:, middle - 1, 0] + table[:, middle + 1, 0] + table[:, middle, 1]
        table = np.concatenate([table, table[:, :1]], axis=1)
        resampled = _linear(_linear(table, rows * count + middle, axis=1), columns * count, axis=2)
        resampled[:, 0, 0] = 0
        if channels != resampled.shape[0]:
            resampled = np.broadcast_to(resampled.mean(0), (channels, *resampled.shape[1:]))
        return np.ascontiguousarray(resampled.transpose(1, 2, 0), np.float32)


def _linear(table: np.ndarray, position: np.ndarray, *, axis: int) -> np.ndarray:
    """Linear interpolation along an axis, at positions in units of its index."""
    first = np.clip(np.floor(position).astype(int), 0, table.shape[axis] - 2)
    weight = np.clip(position - first, 0, 1).astype(np.float32)
    weight = weight.reshape([-1 if dimension == axis else 1 for dimension in range(table.ndim)])
    return np.take(table, first, axis) * (1 - weight) + np.take(table, first + 1, axis) * weight


@lru_cache(maxsize=1)
def natural_spectrum() -> Spectrum:
    """The spectrum that featviz ships, measured over 800 photographs.

    >>> natural_spectrum().values.shape
    (3, 256, 129)
    """
    return load_spectrum(SHIPPED)


def load_spectrum(path: str | os.PathLike[str]) -> Spectrum:
    """Reads a spectrum.

    Args:
      path: a `.safetensors` file from `featviz spectrum`, or a `.npy` file with (channels, size, size // 2 + 1).

    Raises:
      FeatvizError: if the file cannot be read or holds no spectrum.
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
    """The bytes of a `.safetensors` file, in half precision: no picture depends on relative errors of .0005."""
    from safetensors.numpy import save

    scaled = spectrum.values / spectrum.values.max()
    return save({"spectrum": scaled.astype(np.float16)})
