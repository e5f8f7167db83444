"""A photograph from a file or an array: decoded, rotated upright, with 8 bits a channel, gray or RGB."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    from PIL.Image import Image

# The EXIF tag of that name.
ORIENTATION = 0x0112
# Files of these suffixes are images, also those that Pillow cannot read by itself: they are named, never passed over.
IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx",
    ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".sgi", ".tga", ".tif", ".tiff",
    ".webp", ".arw", ".cr2", ".cr3", ".dng", ".exr", ".hdr", ".heic", ".heif", ".hif", ".jxl", ".nef", ".orf",
    ".raf", ".rw2", ".svg",
})  # fmt: skip


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of an image.

    >>> is_image_name("photo.JPG"), is_image_name("notes.txt")
    (True, False)
    """
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES


def readable_suffixes() -> frozenset[str]:
    """The suffixes of files that Pillow reads, with the plugins that are registered."""
    from PIL import Image

    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN)


def read_photograph(path: str | os.PathLike[str], channels: int, *, option: str = "") -> "Image":
    """The photograph of a file, upright, in the mode of a network's images.

    Args:
      path: a file of any format that Pillow reads.
      channels: 1 for gray, 3 for RGB.
      option: the option of the command line that names the file; errors begin with it.

    Raises:
      FeatvizError: if there is no such file, or it cannot be decoded.
    """
    from PIL import Image

    name = f"{option}: " * bool(option) + f"`{os.path.basename(path)}`"
    try:
        with Image.open(path) as file:
            return to_channels(apply_orientation(file), channels)
    except FileNotFoundError:
        raise FeatvizError(f"{name} does not exist; expected an image file") from None
    except IsADirectoryError:
        raise FeatvizError(f"{name} is a folder; expected an image file") from None
    # Decoders raise errors of any kind on bytes that they cannot read.
    except Exception as error:
        raise FeatvizError(f"{name} cannot be read as an image: {in_one_line(error)}") from None


def to_floats(image: "Image") -> Float[np.ndarray, "h w c"]:
    """An image as float32 in [0,1].

    >>> to_floats(from_array(np.array([[0, 255]], np.uint8))).tolist()
    [[[0.0], [1.0]]]
    """
    values = np.asarray(image, np.float32) / np.float32(255)
    return values[..., None] if values.ndim == 2 else values


def to_channels(image: "Image", channels: int) -> "Image":
    """An image as gray (1 channel) or RGB (3), 8 bits each, without its alpha.

    Raises:
      FeatvizError: for another number of channels.
    """
    mode = {1: "L", 3: "RGB"}.get(channels)
    if mode is None:
        raise FeatvizError(f"the network takes {channels} channels; expected 1 or 3 for photographs")
    image = _to_eight_bits(image)
    return image.convert("RGBA").convert(mode) if "transparency" in image.info else image.convert(mode)


def to_bytes(image: Any) -> UInt8[np.ndarray, "h w c"]:
    """An array with 8 bits a value.

    Args:
      image: uint8, uint16 from 0 to 65535, or floats in [0,1], of shape (h, w) or (h, w, channels).

    Raises:
      FeatvizError: for any other array; the message begins with `is`, so that the caller can name the array.

    >>> to_bytes(np.array([[0.0, 0.5, 1.0]])).ravel().tolist()
    [0, 128, 255]
    """
    values = np.asarray(image)
    has_known_type = values.dtype in (np.uint8, np.uint16) or values.dtype.kind == "f"
    if not has_known_type or values.ndim not in (2, 3) or not values.size:
        raise FeatvizError(f"is {values.dtype} of shape {values.shape}; expected uint8 or floats in [0,1], (h, w, c)")
    if values.dtype.kind == "f":
        # Resampling leaves values slightly outside [0,1]; values of 0 to 255 are a mistake, and would be all white.
        if not (values.min() >= -0.05 and values.max() <= 1.05):
            raise FeatvizError(f"is {values.dtype} from {values.min()} to {values.max()}; expected floats in [0,1]")
        values = np.rint(np.clip(values, 0, 1) * 255)
    elif values.dtype == np.uint16:
        values = values // 257
    return np.ascontiguousarray(values.astype(np.uint8)).reshape(*values.shape[:2], -1)


def from_array(image: Any) -> "Image":
    """The image of an array of one to four channels, as `to_bytes` takes it.

    Raises:
      FeatvizError: for any other array; the message begins with `is` or `has`, so that the caller can name the array.
    """
    from PIL import Image

    values = to_bytes(image)
    if values.shape[-1] > 4:
        raise FeatvizError(f"has {values.shape[-1]} channels; expected 1, 3 or 4")
    return Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values)


def _to_eight_bits(image: "Image") -> "Image":
    """An image of 16-bit grays in 8 bits; Pillow itself would clip them at 255."""
    if image.mode == "F":
        return from_array(image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return from_array(np.clip(np.asarray(image), 0, 65535).astype(np.uint16))
    return image


def apply_orientation(image: "Image") -> "Image":
    """An image rotated and mirrored as its EXIF orientation says; as it is if the EXIF cannot be read."""
    from PIL import ImageOps

    try:
        is_upright = image.getexif().get(ORIENTATION, 1) == 1
        return image if is_upright else ImageOps.exif_transpose(image)
    except (ValueError, SyntaxError, TypeError, KeyError, EOFError):  # the EXIF is damaged
        return image
