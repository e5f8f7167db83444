"""Images of textures and shapes drawn by rule, 64x64 RGB, with all generating factors known.

    images, factors = generate(np.random.default_rng(0), labels)

`CLASS_NAMES[label]` names a class; `FREQUENCY_BANDS` gives the gratings' spatial frequency in
cycles per 64-px image. Colors, light, clutter, blur and noise are drawn independently of the
class, so only the pattern identifies it.
"""

from __future__ import annotations

import numpy as np

from .classes import CLASS_NAMES, DIRECTIONS, TABLE
from .fields import SIZE
from .periodic import FREQUENCY_BANDS
from .scene import compose

__all__ = ["CLASS_NAMES", "DIRECTIONS", "FACTORS", "FREQUENCY_BANDS", "SIZE", "generate"]

FACTORS = np.dtype(
    [
        ("label", np.int32),
        ("orientation", np.float32),  # degrees counterclockwise from horizontal; NaN if it has none
        ("frequency", np.float32),  # cycles per 64-px image (arms, for spirals and rays)
        ("scale", np.float32),
        ("x", np.float32),
        ("y", np.float32),  # px; x, y from the center
        ("foreground", np.float32, 3),
        ("ground", np.float32, 3),
        ("accent", np.float32, 3),
        ("clutter", np.bool_),
        ("contrast", np.float32),
        ("blur", np.float32),  # weight of each outer tap of a three-tap blur
        ("noise", np.float32),  # sd, of images in [0, 1]
    ]
)
_CHUNK = 32  # images drawn at a time: their fields stay in the cache


def generate(rng: np.random.Generator, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 64, 64, 3) uint8 for `labels` (n,), and their factors, a structured array (n,)."""
    labels = np.asarray(labels)
    images = np.empty((len(labels), SIZE, SIZE, 3), np.uint8)
    factors = np.zeros(len(labels), FACTORS)
    factors["label"] = labels
    geometry = ("orientation", "frequency", "scale", "x", "y")
    for name in geometry:
        factors[name] = np.nan
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        for start in range(0, len(members), _CHUNK):
            index = members[start : start + _CHUNK]
            drawing = TABLE[label].draw(rng, len(index))
            image, scene = compose(rng, drawing, TABLE[label].is_shape)
            images[index] = (image * 255 + 0.5).astype(np.uint8)
            for name in geometry:
                if getattr(drawing, name) is not None:
                    factors[name][index] = getattr(drawing, name)
            for name, values in scene.items():
                factors[name][index] = values
    return images, factors
