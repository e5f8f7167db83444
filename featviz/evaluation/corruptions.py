"""The corruptions of figure E3, which no recipe trains against: JPEG, blur, shrinking, less contrast."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import UInt8

from featviz.common.bands import resize_bands

Pixels = UInt8[np.ndarray, "h w c"]
# uint8 (h, w, c) -> the same shape and type.
Corruption = Callable[[Pixels], Pixels]


def jpeg(image: Pixels) -> Pixels:
    """Compressed as JPEG of quality 50; of other than three channels, each by itself."""
    from PIL import Image

    def compress(part: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(part).save(buffer, "JPEG", quality=50)
        return np.asarray(Image.open(buffer))

    if image.shape[-1] == 3:
        return compress(image)
    return np.stack([compress(image[..., band]) for band in range(image.shape[-1])], -1)


def blur(image: Pixels) -> Pixels:
    """Blurred by a Gaussian of sigma 1 px."""
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(image.astype(np.float32), (1.0, 1.0, 0.0), mode="nearest")
    return np.rint(np.clip(blurred, 0, 255)).astype(np.uint8)


def shrink(image: Pixels) -> Pixels:
    """Resized to .7 of its size and back, so that a network of one input size accepts it."""
    height, width = image.shape[:2]
    small = resize_bands(image, (max(1, round(0.7 * height)), max(1, round(0.7 * width))))
    return resize_bands(small, (height, width))


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
