"""Maps of weights as small images: red where a unit excites, blue where it inhibits, one scale for all of a list."""

import base64
import io
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from featviz.pages.formatting import format_signed

# Seen on light and on dark paper; how strong a weight is, is how opaque its color is.
EXCITES, INHIBITS = (214, 62, 40), (38, 108, 214)
# Rows and columns of thirds, as they are said.
DOWN, ACROSS = ("upper", "", "lower"), ("left", "", "right")


class MapImage(NamedTuple):
    """An image that the page holds itself: its address, alternative text, and rows and columns."""

    src: str
    alt: str
    rows: int
    columns: int


def map_image(weights: Float[np.ndarray, "rows columns"]) -> MapImage:
    """The image of weights in [-1, 1], one pixel a place.

    >>> map_image(np.array([[0.25, 0.0], [0.0, 1.0]])).alt
    'excites most at the lower right (+1.00)'
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(map_pixels(weights)).save(buffer, "PNG", optimize=True)
    src = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return MapImage(src, describe_map(weights), *weights.shape)


def map_pixels(weights: Float[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, "rows columns 4"]:
    """Weights in [-1, 1] as colors with opacity.

    >>> map_pixels(np.array([[1.0, 0.0]])).tolist()
    [[[214, 62, 40, 255], [214, 62, 40, 0]]]
    """
    known = np.where(np.isfinite(weights), weights, 0).astype(np.float32).clip(-1, 1)
    colors = np.where((known < 0)[..., None], np.array(INHIBITS, np.uint8), np.array(EXCITES, np.uint8))
    opacity = np.round(np.abs(known) * 255).astype(np.uint8)
    return np.concatenate([colors, opacity[..., None]], axis=-1)


def describe_map(weights: Float[np.ndarray, "rows columns"]) -> str:
    """Where the largest weights of both signs are, the larger one first.

    >>> describe_map(np.array([[0.25]]))
    'excites (+0.25)'
    """
    known = np.where(np.isfinite(weights), weights, 0).astype(np.float32)
    found = []
    for word, value, index in (
        ("excites", float(known.max()), int(known.argmax())),
        ("inhibits", float(known.min()), int(known.argmin())),
    ):
        if (value > 0) == (word == "excites") and value:
            row, column = divmod(index, known.shape[1])
            place = f" most at the {_place(row, column, known.shape)}" if known.size > 1 else ""
            found.append((abs(value), f"{word}{place} ({format_signed(value)})"))
    return ", ".join(text for _, text in sorted(found, reverse=True)) or "no weight"


def _place(row: int, column: int, shape: tuple[int, ...]) -> str:
    places = ((DOWN, row, shape[0]), (ACROSS, column, shape[1]))
    down, across = (words[round(2 * index / (side - 1))] if side > 1 else "" for words, index, side in places)
    return " ".join(word for word in (down, across) if word) or "center"
