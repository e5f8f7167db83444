"""Images of any number of bands, such as satellites': read from files, resized, and three of them shown."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from featviz.common.photograph import apply_orientation, to_bytes
from featviz.common.tiff_bands import is_tiff, read_tiff
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from PIL.Image import Image

# (left, top, right, bottom) in pixels, which may be fractions.
Box = tuple[float, float, float, float]


def is_band_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of an array, which Pillow does not read.

    >>> is_band_file("scene.npy"), is_band_file("scene.tif")
    (True, False)
    """
    return os.path.splitext(path)[1].lower() == ".npy"


def read_bands(image: Any) -> UInt8[np.ndarray, "h w bands"]:
    """An image with all its bands, 8 bits each.

    Args:
      image: the path of a `.npy` file, a TIFF or anything that Pillow reads; a PIL image; or an array. Arrays are
        uint8, uint16 from 0 to 65535, or floats in [0,1], (h, w) or (h, w, bands); the pages of a file that has one
        band on each are its bands.

    Raises:
      FeatvizError: for an array of another type; the message begins with `is`.

    >>> read_bands(np.full((2, 3, 7), 0.5, np.float32))[0, 0].tolist()
    [128, 128, 128, 128, 128, 128, 128]
    """
    from PIL import Image

    if isinstance(image, Image.Image):
        return _bands_of(image)
    if not isinstance(image, str | os.PathLike):
        return to_bytes(image)
    if is_band_file(image):
        return to_bytes(np.load(image, allow_pickle=False))
    if is_tiff(image):
        return to_bytes(read_tiff(image))
    with Image.open(image) as file:
        return _bands_of(file)


def read_floats(path: str | os.PathLike[str]) -> Float[np.ndarray, "h w bands"]:
    """The array of a `.npy` file or of a TIFF as float32 in [0,1]; floats and 16 bits keep their precision.

    Raises:
      FeatvizError: for an array of another type; the message begins with `is`.
    """
    array = np.asarray(np.load(path, allow_pickle=False) if is_band_file(path) else read_tiff(path))
    in_bytes = to_bytes(array)  # checks the array as well
    if array.dtype.kind == "f":
        return np.clip(array, 0, 1).astype(np.float32).reshape(in_bytes.shape)
    values, top = (array, 65535) if array.dtype == np.uint16 else (in_bytes, 255)
    return (values.astype(np.float32) / np.float32(top)).reshape(in_bytes.shape)


def _bands_of(image: "Image") -> UInt8[np.ndarray, "h w bands"]:
    upright = apply_orientation(image)
    # Of a palette the bands are its colors.
    return to_bytes(np.asarray(upright.convert("RGBA" if "transparency" in image.info else "RGB")
                               if upright.mode == "P" else upright))  # fmt: skip


def with_channels(bands: Shaped[np.ndarray, "h w bands"], channels: int) -> Shaped[np.ndarray, "h w c"]:
    """The bands, if there are as many as a network takes.

    Raises:
      FeatvizError: for another number.
    """
    if bands.shape[-1] != channels:
        raise FeatvizError(f"it has {bands.shape[-1]} bands; expected {channels}")
    return bands


def resize_bands(
    bands: UInt8[np.ndarray, "h w c"], size: tuple[int, int], *, box: Box | None = None
) -> UInt8[np.ndarray, "height width c"]:
    """An image resized, bicubic and antialiased, each band by itself.

    Args:
      bands: the image.
      size: (height, width).
      box: the part of it to resize, by default all.

    >>> resize_bands(np.full((8, 8, 7), 9, np.uint8), (4, 2)).shape
    (4, 2, 7)
    """
    from PIL import Image

    def resize(part: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(part))
        return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box))

    if bands.shape[-1] == 3:
        return resize(bands)
    return np.stack([resize(bands[..., band]) for band in range(bands.shape[-1])], -1)


def shown_bands(pixels: Shaped[np.ndarray, "*n h w c"], rgb: tuple[int, ...]) -> Shaped[np.ndarray, "*n h w shown"]:
    """What is shown of an image: one or three bands as they are, the mean of two, three chosen ones of more.

    Args:
      pixels: bytes or floats.
      rgb: the bands that are shown as red, green and blue; () for the first three.

    >>> shown_bands(np.arange(5.0)[None, None], (3, 2, 1)).tolist(), shown_bands(np.array([[[1.0, 2.0]]]), ()).tolist()
    ([[[3.0, 2.0, 1.0]]], [[[1.5]]])
    """
    channels = pixels.shape[-1]
    if channels in (1, 3):
        return pixels
    if channels == 2:
        return pixels.mean(-1, keepdims=True).astype(pixels.dtype)
    # Bands that were chosen for another number of channels do not count.
    chosen = rgb if rgb and max(rgb) < channels else (0, 1, 2)
    return pixels[..., list(chosen)]
