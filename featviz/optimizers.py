"""Step rules by name: frozen dataclasses with canonical JSON that build optax transformations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax


class Optimizer(Protocol):
    """A hashable value; calling it builds the optax transformation that descends minus the objective."""

    def __call__(self) -> optax.GradientTransformation: ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2014), as `optax.adam`.

    >>> Adam(0.05)().init(0.0)[0].count.item()
    0
    """

    learning_rate: float = 0.05
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __call__(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


class Schedule(Protocol):
    """What each update is multiplied by, from progress 0 to 1."""

    def __call__(self, progress: jax.Array) -> jax.Array: ...


@dataclass(frozen=True)
class Constant:
    """Full steps to the end."""

    def __call__(self, progress: jax.Array) -> jax.Array:
        return jnp.ones_like(progress)


@dataclass(frozen=True)
class Cosine:
    """Steps that shrink to `end` of their size along half a cosine: (1 + cos(pi progress)) / 2.

    Adam's steps have one size however small the gradient is, and what is left of them at the end is grain.

    >>> Cosine()(jnp.array([0.0, 0.5, 1.0])).round(3).tolist()
    [1.0, 0.5, 0.0]
    """

    end: float = 0.0

    def __call__(self, progress: jax.Array) -> jax.Array:
        return self.end + (1.0 - self.end) * 0.5 * (1.0 + jnp.cos(np.float32(np.pi) * progress))


@dataclass(frozen=True)
class Custom:
    """Any optax transformation, under a name: its pictures say that no command remakes them.

    `build` takes no argument and returns the transformation.
    """

    name: str
    build: Callable[[], Any] = field(metadata={"canonical": False})

    def __call__(self) -> optax.GradientTransformation:
        return self.build()
