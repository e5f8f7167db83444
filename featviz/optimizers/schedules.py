"""Schedules: values that change during the optimization."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.optimizers.base import Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    """The same value throughout.

    >>> Constant(2.0)(jnp.array([0.0, 1.0])).tolist()
    [2.0, 2.0]
    """

    value: float = 1.0

    def __call__(self, progress: Float[Array, "*s"]) -> Float[Array, "*s"]:
        return self.value * jnp.ones_like(progress)

    @property
    def maximum(self) -> float:
        return self.value


@dataclass(frozen=True)
class Linear(Schedule):
    """start + (end - start) * progress.

    >>> Linear(11.0, 6.0)(jnp.array([0.0, 0.5])).tolist()
    [11.0, 8.5]
    """

    start: float
    end: float

    def __call__(self, progress: Float[Array, "*s"]) -> Float[Array, "*s"]:
        return self.start + (self.end - self.start) * progress

    @property
    def maximum(self) -> float:
        return max(self.start, self.end)


@dataclass(frozen=True)
class Cosine(Schedule):
    """end + (start - end) * (1 + cos(pi progress)) / 2, as `optax.cosine_decay_schedule`.

    Adam's steps keep their size however small the gradient is; without a decay the last ones leave grain.

    >>> Cosine()(jnp.array([0.0, 0.5, 1.0])).round(3).tolist()
    [1.0, 0.5, 0.0]
    """

    start: float = 1.0
    end: float = 0.0

    def __call__(self, progress: Float[Array, "*s"]) -> Float[Array, "*s"]:
        return self.end + (self.start - self.end) * 0.5 * (1.0 + jnp.cos(np.float32(np.pi) * progress))

    @property
    def maximum(self) -> float:
        return max(self.start, self.end)
