"""A border around the image, and its removal."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform


@dataclass(frozen=True)
class Pad(Transform):
    """A border on each side, gray or mirrored, so that later shifts do not move the picture's edge into view.

    Args:
      width: pixels on each side.
      fill: the border's value; None mirrors the image, the edge pixel included.

    References:
      lucid, optvis/transform.py, `pad`.

    >>> import jax
    >>> pad, mirrored = Pad(2, fill=0.5), Pad(2, fill=None)
    >>> pad(jax.random.key(0), jnp.zeros((4, 4, 3)), 0.0).shape
    (8, 8, 3)
    """

    width: int
    fill: float | None = 0.5

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h2 w2 c"]:
        widths = [(self.width, self.width), (self.width, self.width), (0, 0)]
        if self.fill is None:
            return jnp.pad(image, widths, mode="symmetric")
        return jnp.pad(image, widths, constant_values=self.fill)


@dataclass(frozen=True)
class CenterCrop(Transform):
    """The center of the image: undoes a `Pad` of the same width.

    Args:
      margin: pixels that are cut off on each side.

    References:
      lucid, optvis/transform.py, `crop_or_pad_to`.

    >>> import jax
    >>> CenterCrop(2)(jax.random.key(0), jnp.zeros((8, 9, 3)), 0.0).shape
    (4, 5, 3)
    """

    margin: int

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h2 w2 c"]:
        height, width = image.shape[:2]
        return image[self.margin : height - self.margin, self.margin : width - self.margin]
