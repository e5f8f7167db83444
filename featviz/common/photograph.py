"""One photograph: decoded, upright, of 8 bits a channel, gray or in color."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    from PIL.Image import Image

# EXIF's tag of that name.
ORIENTATION = 0x0112


def read_photograph(path: str | os.PathLike[str], channels: int, *, option: str = "") -> "Image":
    """A file's photograph, upright, as a network of 1 or 3 channels sees it; errors begin with `option`.

    Raises: FeatvizError for what cannot be decoded.
    """
    from PIL import Image

    named = f"{option}: " * bool(option) + f"`{os.path.basename(path)}`"
    try:
        with Image.open(path) as file:
            return flatten(upright(file), channels)
    except FileNotFoundError:
        raise FeatvizError(f"{named} is not there; expected an image's file") from None
    # Decoders raise whatever they like on bytes that are not theirs.
    except Exception as error:
        raise FeatvizError(f"{named} cannot be read as an image: {in_one_line(error)}") from None


def to_floats(image: "Image") -> np.ndarray:
    """An image as float32 in [0,1], (height, width, channels).

    >>> to_floats(from_array(np.array([[0, 255]], np.uint8))).tolist()
    [[[0.0], [1.0]]]
    """
    values = np.asarray(image, np.float32) / np.float32(255)
    return values[..., None] if values.ndim == 2 else values


def flatten(image: "Image", channels: int) -> "Image":
    """An image in grays (1 channel) or RGB (3), 8 bits each, its alpha taken away.

    Raises: FeatvizError for another number of channels.
    """
    mode = {1: "L", 3: "RGB"}.get(channels)
    if mode is None:
        raise FeatvizError(f"the network wants {channels} channels; expected 1 or 3 for photographs")
    shallow = _eight_bits(image)
    return shallow.convert("RGBA").convert(mode) if "transparency" in shallow.info else shallow.convert(mode)


def from_array(image: Any) -> "Image":
    """An array, (h, w) or (h, w, channels), of uint8 or of floats in [0,1].

    Raises: FeatvizError for any other.
    """
    from PIL import Image

    values = np.asarray(image)
    known = values.dtype == np.uint8 or values.dtype.kind == "f"
    if not known or values.ndim not in (2, 3) or not values.size:
        raise FeatvizError(f"is {values.dtype} of shape {values.shape}; expected uint8 or floats in [0,1], (h, w, c)")
    if values.dtype.kind == "f":
        # A little more than [0,1] is what resampling leaves; 0 to 255 is a mistake, and would be all white.
        if not (values.min() >= -0.05 and values.max() <= 1.05):
            raise FeatvizError(f"is {values.dtype} from {values.min()} to {values.max()}; expected floats in [0,1]")
        values = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values)


def _eight_bits(image: "Image") -> "Image":
    """Grays of 16 bits as 8, which PIL would cut off at 255."""
    if image.mode == "F":
        return from_array(image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return from_array((np.clip(np.asarray(image), 0, 65535) // 257).astype(np.uint8))
    return image


def upright(image: "Image") -> "Image":
    """Turned as its camera says, if it says so readably."""
    from PIL import ImageOps

    try:
        turned = image.getexif().get(ORIENTATION, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image
    except (ValueError, SyntaxError, TypeError, KeyError, EOFError):  # of damaged EXIF
        return image
