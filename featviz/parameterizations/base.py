"""What a parameterization is, and the way from unbounded values to colors."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.color import correlate_color, decorrelate_color

Shape: TypeAlias = tuple[int, int, int, int]
# How far from 0 and 1 a start image is kept, so that its inverse sigmoid is finite and can still move.
MARGIN = 1e-2


class Parameterization(ABC):
    """What is optimized in place of an image, (n, height, width, channels); the package's docstring has the contract.

    `bounded`: images lie in (0,1). `inverse_tolerance`: how far `to_image(from_image(image))` may be from an image of
    values in [.05, .95]; None where there is no inverse, or where part of the image is lost.
    """

    bounded: ClassVar[bool] = True
    inverse_tolerance: ClassVar[float | None] = 2e-4

    @abstractmethod
    def init(self, key: PRNGKeyArray, shape: Shape) -> Any:
        """Draws parameters for images of `shape`."""

    @abstractmethod
    def to_image(self, params: Any, shape: Shape) -> Float[Array, "n h w c"]:
        """The images of parameters."""

    @abstractmethod
    def from_image(self, image: Float[Array, "n h w c"]) -> Any:
        """Parameters whose images are close to `image`. Raises FeatvizError if there is no inverse."""


def extra_channels(parameterization: Parameterization) -> int:
    """How many channels its images have beyond those of `shape`: 1 for an alpha channel, else 0.

    >>> from featviz.parameterizations import Alpha, Pixels
    >>> extra_channels(Pixels()), extra_channels(Alpha())
    (0, 1)
    """
    shape = (1, 16, 16, 1)
    image = jax.eval_shape(lambda: parameterization.to_image(parameterization.init(jax.random.key(0), shape), shape))
    return image.shape[-1] - 1


def squash(t: Float[Array, "n h w c"], *, decorrelate: bool) -> Float[Array, "n h w c"]:
    """sigmoid(t), or with `decorrelate` sigmoid(correlate_color(t))."""
    return jax.nn.sigmoid(correlate_color(t) if decorrelate else t)


def unsquash(image: Float[Array, "n h w c"], *, decorrelate: bool, margin: float = MARGIN) -> Float[Array, "n h w c"]:
    """The inverse of `squash`, for images clipped to [margin, 1 - margin]."""
    t = jax.scipy.special.logit(jnp.clip(image, margin, 1.0 - margin))
    return decorrelate_color(t) if decorrelate else t
