"""The corruptions of figure E3, which no recipe trains against: JPEG, blur, shrinking, less contrast."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import UInt8

Pixels = UInt8[np.ndarray, "h w c"]
# uint8 (h, w, c) -> the same shape and type.
Corruption = Callable[[Pixels], Pixels]


def jpeg(image: Pixels) -> Pixels:
    """Compressed as JPEG of quality 50."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(_without_gray_axis(image)).save(buffer, "JPEG", quality=50)
    return _with_channel_axis(np.asarray(Image.open(buffer)))


def blur(image: Pixels) -> Pixels:
    """Blurred by a Gaussian of sigma 1 px."""
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(image.astype(np.float32), (1.0, 1.0, 0.0), mode="nearest")
    return np.rint(np.clip(blurred, 0, 255)).astype(np.uint8)


def shrink(image: Pixels) -> Pixels:
    """Resized to .7 of its size and back, so that a network of one input size accepts it."""
    from PIL import Image

    height, width = image.shape[:2]
    small = Image.fromarray(_without_gray_axis(image)).resize(
        (max(1, round(0.7 * width)), max(1, round(0.7 * height))), Image.Resampling.BICUBIC
    )
    return _with_channel_axis(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)))


def reduce_contrast(image: Pixels) -> Pixels:
    """Contrast .7 about the image's mean.

    >>> reduce_contrast(np.array([[[0], [200]]], np.uint8)).ravel().tolist()
    [30, 170]
    """
    mean = image.mean(dtype=np.float32)
    return np.rint(mean + np.float32(0.7) * (image.astype(np.float32) - mean)).astype(np.uint8)


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {"jpeg": jpeg, "blur": blur, "shrink": shrink, "contrast": reduce_contrast}
)


def _without_gray_axis(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[-1] == 1 else image


def _with_channel_axis(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else image[..., None]
