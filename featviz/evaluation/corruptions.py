"""What is done to a picture in E3, and by no recipe: JPEG, blur, shrinking, less contrast."""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

Damage = Callable[[np.ndarray], np.ndarray]


def jpeg(image: np.ndarray) -> np.ndarray:
    """Through JPEG of quality 50."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(_flat(image)).save(buffer, "JPEG", quality=50)
    return _deep(np.asarray(Image.open(buffer)))


def blur(image: np.ndarray) -> np.ndarray:
    """Blurred by a Gaussian of sigma 1 px."""
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(image.astype(np.float32), (1.0, 1.0, 0.0), mode="nearest")
    return np.rint(np.clip(soft, 0, 255)).astype(np.uint8)


def shrink(image: np.ndarray) -> np.ndarray:
    """To .7 of its size and back, so that a network of one input size can look at it."""
    from PIL import Image

    height, width = image.shape[:2]
    small = Image.fromarray(_flat(image)).resize(
        (max(1, round(0.7 * width)), max(1, round(0.7 * height))), Image.Resampling.BICUBIC
    )
    return _deep(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)))


def fade(image: np.ndarray) -> np.ndarray:
    """Contrast .7 about the image's own mean.

    >>> fade(np.array([[[0], [200]]], np.uint8)).ravel().tolist()
    [30, 170]
    """
    mean = image.mean(dtype=np.float32)
    return np.rint(mean + np.float32(0.7) * (image.astype(np.float32) - mean)).astype(np.uint8)


TRANSFORMS: Mapping[str, Damage] = MappingProxyType({"jpeg": jpeg, "blur": blur, "shrink": shrink, "fade": fade})


def _flat(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[-1] == 1 else image


def _deep(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else image[..., None]
