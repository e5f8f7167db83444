"""What is done to activations before a dictionary encodes them, and undone after it has decoded."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.dictionaries.kinds.base import STATIC, Inputs, Values, add_last, along_last
from featviz.errors import FeatvizError


class Normalization(ABC):
    """A map of activations, position by position, with its inverse.

    Some are decided by each position's own activations. Undoing these needs the activations that were normalized.
    """

    name: ClassVar[str]
    # Whether `undo` needs the activations that were normalized.
    own_scale: ClassVar[bool] = False

    @abstractmethod
    def apply(self, activations: Inputs) -> Inputs:
        """The activations as the dictionary takes them."""

    @abstractmethod
    def undo(self, inputs: Inputs, like: Inputs | None) -> Inputs:
        """Inputs of the dictionary as activations; `like` are those that were normalized."""

    def undo_rows(self, rows: Values) -> Values:
        """Directions among the dictionary's inputs as directions among activations, up to their lengths."""
        return rows

    @property
    def summary(self) -> str:
        """What it does, in words."""
        return self.name.replace("_", " ")

    def check_values(self) -> None:  # noqa: B027
        """Raises FeatvizError unless it can be undone."""

    def shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        """The shapes that its arrays have, by the names of their fields."""
        return {}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Identity(Normalization):
    """Activations as they are.

    >>> Identity().apply(np.ones(2)).tolist()
    [1.0, 1.0]
    """

    name: ClassVar[str] = "none"

    def apply(self, activations: Inputs) -> Inputs:
        return activations

    def undo(self, inputs: Inputs, like: Inputs | None) -> Inputs:
        return inputs


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class LayerNorm(Normalization):
    """(x - mean x) / (std x + eps) at each position, the standard deviation with Bessel's correction.

    Args:
      eps: outside the root, unlike that of a network's layer normalization. As in the libraries that have this
        normalization, the inverse multiplies with the standard deviation alone.

    >>> LayerNorm().apply(jnp.array([1.0, 3.0])).tolist()
    [-0.7071..., 0.7071...]
    """

    name: ClassVar[str] = "layer_norm"
    own_scale: ClassVar[bool] = True
    eps: float = field(default=1e-5, metadata=STATIC)

    def apply(self, activations: Inputs) -> Inputs:
        mean, deviation = self._statistics(activations)
        return (activations - mean) / (deviation + self.eps)

    def undo(self, inputs: Inputs, like: Inputs | None) -> Inputs:
        assert like is not None
        mean, deviation = self._statistics(like)
        return inputs * deviation + mean

    def _statistics(self, activations: Inputs) -> tuple[Array, Array]:
        mean = jnp.mean(activations, axis=-1, keepdims=True)
        squares = jnp.sum(jnp.square(activations - mean), axis=-1, keepdims=True) / max(activations.shape[-1] - 1, 1)
        # The root has no derivative at 0, where an activation is the same in all units.
        root = jnp.sqrt(jnp.where(squares > 0, squares, 1))
        return mean, jnp.where(squares > 0, root, 0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class ConstantNorm(Normalization):
    """x √units / |x| at each position.

    >>> ConstantNorm().apply(jnp.array([3.0, 0.0, 4.0, 0.0])).tolist()
    [1.2..., 0.0, 1.6..., 0.0]
    """

    name: ClassVar[str] = "constant_norm"
    own_scale: ClassVar[bool] = True

    def apply(self, activations: Inputs) -> Inputs:
        return activations * self._scale(activations)

    def undo(self, inputs: Inputs, like: Inputs | None) -> Inputs:
        assert like is not None
        return inputs / self._scale(like)

    def _scale(self, activations: Inputs) -> Array:
        squares = jnp.sum(jnp.square(activations), axis=-1, keepdims=True)
        return jnp.sqrt(activations.shape[-1] / jnp.where(squares > 0, squares, 1))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Standardized(Normalization):
    """(x - mean) / scale, of numbers that were measured on the data that the dictionary was fitted on.

    Args:
      mean: (units,), or () for one of all units.
      scale: () for one scale of all units, or (units,).

    >>> Standardized(np.array([1.0]), np.array(2.0)).apply(jnp.array([5.0])).tolist()
    [2.0]
    """

    name: ClassVar[str] = "standardized"
    mean: Float[Values, "..."]
    scale: Float[Values, "..."]

    def apply(self, activations: Inputs) -> Inputs:
        return add_last(activations, -self.mean) / along_last(self.scale, activations)

    def undo(self, inputs: Inputs, like: Inputs | None) -> Inputs:
        return add_last(inputs * along_last(self.scale, inputs), self.mean)

    def undo_rows(self, rows: Values) -> Values:
        return rows * along_last(self.scale, rows)

    @property
    def summary(self) -> str:
        kind = "one scale" if np.ndim(self.scale) == 0 else "a scale for each unit"
        return f"less the data's mean, over {kind}"

    def check_values(self) -> None:
        if not (smallest := float(np.min(np.asarray(self.scale)))) > 0:
            raise FeatvizError(f"`scale` of the normalization has {smallest:g}; expected numbers above 0")

    def shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        return {name: () if np.ndim(getattr(self, name)) == 0 else (units,) for name in ("mean", "scale")}


# By the name that files have for them.
NORMALIZATIONS: Mapping[str, type[Normalization]] = MappingProxyType(
    {kind.name: kind for kind in (Identity, LayerNorm, ConstantNorm, Standardized)}
)
