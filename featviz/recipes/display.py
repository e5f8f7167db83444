"""How a publication shows what it drew: pictures whose own contrast is too low to see."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Display(Protocol):
    """From an image, (height, width, channels), to the pixels that are shown, in [0,1]."""

    def __call__(self, image: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Stretched:
    """(x - min) / (max - min) (Yosinski et al. 2015, as saved by their toolbox).

    >>> Stretched()(np.array([0.4, 0.5, 0.6])).round(3).tolist()
    [0.0, 0.5, 1.0]
    """

    def __call__(self, image: np.ndarray) -> np.ndarray:
        low, high = float(image.min()), float(image.max())
        return (image - low) / max(high - low, 1e-6)


@dataclass(frozen=True)
class StandardContrast:
    """(x - mean) / max(standard deviation, 1e-4) * sd + .5, clipped (TensorFlow's tutorial 2015, `visstd`).

    >>> StandardContrast()(np.array([0.4, 0.5, 0.6])).round(2).tolist()
    [0.38, 0.5, 0.62]
    """

    sd: float = 0.1

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return np.clip((image - image.mean()) / max(float(image.std()), 1e-4) * self.sd + 0.5, 0, 1)
