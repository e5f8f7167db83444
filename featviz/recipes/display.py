"""Displays: how a publication shows pictures whose contrast is too low to see."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float

from featviz.parameterizations.color import for_channels


class Display(Protocol):
    """A frozen dataclass, called with an image to get the pixels that are shown, in [0,1]."""

    def __call__(self, image: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]: ...


@dataclass(frozen=True)
class Stretched:
    """(x - center) / (2 max |x - center|) + .5: the center becomes gray.

    Args:
      center: one value a channel; images of other channel counts get its mean.

    References:
      Yosinski et al. 2015, as their toolbox saves pictures.

    >>> Stretched((0.5,))(np.array([[[0.4], [0.5], [0.55]]])).round(3).ravel().tolist()
    [0.0, 0.5, 0.75]
    """

    center: tuple[float, ...]

    def __call__(self, image: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
        deviation = image - for_channels(self.center, image.shape[-1])
        return deviation / max(2 * float(np.abs(deviation).max()), 1e-6) + np.float32(0.5)


@dataclass(frozen=True)
class StandardContrast:
    """(x - mean) / max(standard deviation, 1e-4) * sd + .5, clipped to [0,1].

    Args:
      sd: the standard deviation that is shown.

    References:
      Mordvintsev 2015, TensorFlow's DeepDream tutorial, `visstd`.

    >>> StandardContrast()(np.array([0.4, 0.5, 0.6])).round(2).tolist()
    [0.38, 0.5, 0.62]
    """

    sd: float = 0.1

    def __call__(self, image: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
        return np.clip((image - image.mean()) / max(float(image.std()), 1e-4) * self.sd + 0.5, 0, 1)
