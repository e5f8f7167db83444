"""What an optimizer and a schedule are."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import optax
from jaxtyping import Array, Float


class Optimizer(ABC):
    """A frozen dataclass that builds an optax transformation; the package's docstring has the contract."""

    @abstractmethod
    def __call__(self) -> optax.GradientTransformation:
        """The transformation that descends minus the objective, or one link of a chain that does."""


class Schedule(ABC):
    """A value that changes with progress, from 0 at the start of the optimization to 1 at its end."""

    @abstractmethod
    def __call__(self, progress: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """The value at `progress`."""

    @property
    @abstractmethod
    def maximum(self) -> float:
        """The largest value over the optimization."""


def image_axes(leaf: jax.Array) -> tuple[int, ...]:
    """The axes of one image of a group: all but the first of (n, height, width, ...), and all of smaller arrays.

    >>> image_axes(jax.numpy.zeros((2, 4, 4, 3)))
    (1, 2, 3)
    """
    return tuple(range(1 if leaf.ndim >= 4 else 0, leaf.ndim))


def stateless(change: Callable[[Any], Any]) -> optax.GradientTransformation:
    """The transformation without state that applies `change` to a tree of updates.

    >>> double = stateless(lambda updates: 2 * updates)
    >>> double.update(3.0, double.init(0.0))[0]
    6.0
    """
    return optax.stateless(lambda updates, params: change(updates))
