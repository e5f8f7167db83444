"""What a prior does in an ascent: what every kind of it says about itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, PRNGKeyArray

Images: TypeAlias = Float[Array, "n h w c"]
# The expected images, given noisy ones, of a key and the noise's standard deviation; a tree of the denoiser's weights.
Denoise: TypeAlias = Callable[[PRNGKeyArray, Images, Any], Images]


class Moment(NamedTuple):
    """A step of an ascent: how many went before it, and what share of all they are."""

    step: Int32[Array, ""]
    progress: Float[Array, ""]


@dataclass(frozen=True)
class Prior(ABC):
    """How a denoiser takes part in an ascent. Its weights are no part of it: they are an argument of the program.

    Args:
      natural: from 0, the objective at its strongest, to 1, the prior alone.
      file: of `write_prior`; None for featviz's own. Provenance names it by its hash.
    """

    natural: float = 0.5
    file: str | None = field(default=None, metadata={"canonical": False})

    # Whether pictures are drawn from noise, whatever image they begin at.
    from_noise: ClassVar[bool] = False

    @property
    def is_idle(self) -> bool:
        """Whether pictures are as without it."""
        return False

    @abstractmethod
    def begin(self, key: PRNGKeyArray, shape: tuple[int, ...]) -> Images:
        """What is carried from step to step, as the first step finds it.

        Args:
          key: of its draws.
          shape: of the images.
        """

    def renew(
        self, key: PRNGKeyArray, denoise: Denoise, images: Images, carried: Images, now: Moment
    ) -> tuple[Images, Images]:
        """With `from_noise`, the images at which a step takes its gradient, and what is carried on.

        Args:
          key: of the step's draws.
          denoise: the denoiser.
          images: at the end of the step before.
          carried: from the step before.
          now: the step.
        """
        return images, carried

    @abstractmethod
    def direct(
        self, key: PRNGKeyArray, denoise: Denoise, images: Images, gradient: Images, carried: Images, now: Moment
    ) -> tuple[Images, Images]:
        """Where the images go, in place of the objective's gradient, and what is carried on.

        Args:
          key: of the step's draws.
          denoise: the denoiser.
          images: at which the gradient is taken.
          gradient: of the objective and the penalty.
          carried: from the step before, or of `renew`.
          now: the step.
        """


def unit(images: Images) -> Images:
    """Each image over its root mean square; an image of zeros stays.

    >>> unit(jnp.full((1, 2, 2, 1), -3.0))[0, 0, 0].tolist()
    [-1.0]
    >>> unit(jnp.zeros((1, 2, 2, 1)))[0, 0, 0].tolist()
    [0.0]
    """
    # Over the largest first: the square of a small gradient is 0 in single precision.
    largest = jnp.max(jnp.abs(images), axis=(1, 2, 3), keepdims=True)
    scaled = images / jnp.where(largest > 0, largest, 1.0)
    size = jnp.sqrt(jnp.mean(jnp.square(scaled), axis=(1, 2, 3), keepdims=True))
    return scaled / jnp.where(size > 0, size, 1.0)


def noise_level(largest: float, smallest: float, progress: Float[Array, ""]) -> Float[Array, ""]:
    """A noise level that falls log-linearly from the largest, at progress 0, to the smallest, at 1.

    >>> [round(float(noise_level(1.0, 0.01, jnp.float32(p))), 2) for p in (0.0, 0.5, 1.0)]
    [1.0, 0.1, 0.01]
    """
    return largest * (smallest / largest) ** progress
