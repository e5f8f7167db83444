"""How a publication shows what it drew: pictures whose own contrast is too low to see."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from featviz.parameterizations.color import for_channels


class Display(Protocol):
    """From an image, (height, width, channels), to the pixels that are shown, in [0,1]."""

    def __call__(self, image: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Stretched:
    """(x - center) / (2 max |x - center|) + .5 (Yosinski et al. 2015, as their toolbox saves: the mean becomes gray).

    `center` has a number for each channel; of images of other channels its mean counts.

    >>> Stretched((0.5,))(np.array([[[0.4], [0.5], [0.55]]])).round(3).ravel().tolist()
    [0.0, 0.5, 0.75]
    """

    center: tuple[float, ...]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        away = image - for_channels(self.center, image.shape[-1])
        return away / max(2 * float(np.abs(away).max()), 1e-6) + np.float32(0.5)


@dataclass(frozen=True)
class StandardContrast:
    """(x - mean) / max(standard deviation, 1e-4) * sd + .5, clipped (TensorFlow's tutorial 2015, `visstd`).

    >>> StandardContrast()(np.array([0.4, 0.5, 0.6])).round(2).tolist()
    [0.38, 0.5, 0.62]
    """

    sd: float = 0.1

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return np.clip((image - image.mean()) / max(float(image.std()), 1e-4) * self.sd + 0.5, 0, 1)
