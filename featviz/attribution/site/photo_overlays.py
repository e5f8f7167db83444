"""Images within an explanation's page: the photo, and where groups of units are in it."""

import base64

import numpy as np
from jaxtyping import Float

from featviz.common.photograph import to_bytes
from featviz.pages.page_images import encode_pixels, fit_cell, to_pil

# Overlays of groups, by their order: hues of equal lightness.
HUES = ((230, 90, 60), (70, 140, 230), (90, 175, 80), (200, 110, 200), (220, 165, 40), (60, 180, 180))


def css_color(index: int) -> str:
    """The color of a group as CSS writes it.

    >>> css_color(6)
    'rgb(230 90 60)'
    """
    return "rgb({} {} {})".format(*HUES[index % len(HUES)])


def data_address(pixels: np.ndarray) -> str:
    """Pixels as an address that holds them, so that a page stands alone."""
    return "data:image/webp;base64," + base64.b64encode(encode_pixels(pixels)).decode()


def photo_pixels(photo: Float[np.ndarray, "h w c"], side: int) -> np.ndarray:
    """A photo as a browser shows it, at most `side` pixels on its longer side."""
    from PIL import Image

    image = to_pil(to_bytes(photo))
    return np.asarray(image.resize(fit_cell(*image.size, side=side), Image.Resampling.LANCZOS))


def overlay(
    photo: Float[np.ndarray, "h w c"], places: Float[np.ndarray, "rows columns"], index: int, side: int
) -> np.ndarray:
    """The photo in gray, with a color as strong as a group is at each place.

    Args:
      photo: in [0,1].
      places: how strong the group is.
      index: which of the colors.
      side: the longer side of the result.
    """
    from PIL import Image

    shown = photo_pixels(photo, side).astype(np.float32)
    gray = np.repeat(shown.mean(-1, keepdims=True), 3, axis=-1) * 0.75 + 40
    top = max(float(np.percentile(places, 99)), 1e-12)
    mask = Image.fromarray((np.clip(places / top, 0, 1) * 255).astype(np.uint8))
    alpha = np.asarray(mask.resize(shown.shape[1::-1], Image.Resampling.BICUBIC), np.float32)[..., None] / 255 * 0.75
    color = np.asarray(HUES[index % len(HUES)], np.float32)
    return ((1 - alpha) * gray + alpha * color).clip(0, 255).round().astype(np.uint8)
