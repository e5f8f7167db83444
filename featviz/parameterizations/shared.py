"""Images of a group that share their coarse parts, so that what they show lines up."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape, squash, unsquash
from featviz.parameterizations.laplacian_pyramid import upsample


class SharedPart(NamedTuple):
    """A coarse part of the image's size divided by `divisor`; all images share it, or `pairs` of neighbors."""

    divisor: int
    pairs: bool

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Its height and width, in an image of these."""
        return max(1, height // self.divisor), max(1, width // self.divisor)


# As lucid's lowres_tensor is used for aligned groups (optvis/param).
PARTS = (
    SharedPart(2, False),
    SharedPart(4, False),
    SharedPart(8, False),
    SharedPart(8, True),
    SharedPart(16, False),
    SharedPart(16, True),
)


@dataclass(frozen=True)
class Shared(Parameterization):
    """Each image's own part plus coarse parts that a group's images share: what they show lines up.

    sigmoid(color(own_i + sum over parts of upsample(part))), parts of 1/2 to 1/16 of the size, shared by all images or
    by pairs of neighbors. Params: those of `base`, and a tuple of parts from N(0, sd).

    Args:
      base: the parameterization of each image's own part.
      sd: the standard deviation of the shared parts at the start.
      decorrelate: whether channels are decorrelated colors (`color.correlate_color`).

    References:
      Olah et al. 2017; lucid, optvis/param, `lowres_tensor`.

    >>> from featviz.parameterizations import Fourier
    >>> shared = Shared(Fourier())
    >>> shared.to_image(shared.init(jax.random.key(0), (4, 32, 32, 3)), (4, 32, 32, 3)).shape
    (4, 32, 32, 3)
    """

    base: Parameterization
    sd: float = 0.01
    decorrelate: bool = True

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Any, tuple[Float[Array, "m h2 w2 c"], ...]]:
        base_key, *keys = jax.random.split(key, 1 + len(PARTS))
        n, height, width, channels = shape
        parts = tuple(
            self.sd * jax.random.normal(key, (-(-n // 2) if part.pairs else 1, *part.size(height, width), channels))
            for key, part in zip(keys, PARTS, strict=True)
        )
        return self.base.init(base_key, shape), parts

    def to_image(
        self, params: tuple[Any, tuple[Float[Array, "m h2 w2 c"], ...]], shape: Shape
    ) -> Float[Array, "n h w c"]:
        base_params, parts = params
        t = unsquash(self.base.to_image(base_params, shape), decorrelate=self.decorrelate, margin=1e-6)
        for part in parts:
            large = upsample(part, shape[1:3])
            t = t + jnp.repeat(large, -(-shape[0] // large.shape[0]), axis=0)[: shape[0]]
        return squash(t, decorrelate=self.decorrelate)

    def from_image(self, image: Float[Array, "n h w c"]) -> tuple[Any, tuple[Float[Array, "m h2 w2 c"], ...]]:
        n, height, width, channels = image.shape
        _, parts = self.init(jax.random.key(0), (n, height, width, channels))
        return self.base.from_image(image), tuple(jnp.zeros_like(part) for part in parts)
