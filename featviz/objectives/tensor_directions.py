"""Directions in the space of a layer's whole tensor: given ones, and caricatures of an image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import STATIC, LayerTerm, Shapes, Values, read_instead
from featviz.objectives.matching import check_features
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.vectors import scale_by_cosine, write_power


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TensorDirection(LayerTerm):
    """dot(H, T) / positions * max(.1, cosine(H, T))^power, H the layer's whole tensor; both cut about their centers."""

    tensor: Float[Values, "*positions units"]
    power: float = field(default=0.0, metadata=STATIC)

    @property
    def label(self) -> str:
        return f"{self.layer}:tensor{write_power(self.power)}"

    def preactivation(self, instead: Mapping[str, str]) -> "TensorDirection":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        return tensor_product(activations[self.layer], self.tensor, self.power)

    def check(self, shapes: Shapes) -> None:
        shape, found = shapes[self.layer], np.shape(self.tensor)
        if len(found) != len(shape) or found[-1] != shape[-1]:
            raise FeatvizError(
                f"`tensor` has shape {found}; {self.layer} is {shape} at this picture size, expected one like it"
            )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Caricature(LayerTerm):
    """dot(H, A) / positions * max(.1, cosine(H, A))^power, A the activations of an image of the same size."""

    tensor: Float[Values, "*positions units"]
    power: float = field(default=1.0, metadata=STATIC)

    @property
    def label(self) -> str:
        return f"{self.layer}:caricature{write_power(self.power)}"

    def preactivation(self, instead: Mapping[str, str]) -> "Caricature":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        return tensor_product(activations[self.layer], self.tensor, self.power)

    def check(self, shapes: Shapes) -> None:
        check_features(self.layer, self.tensor, shapes[self.layer], same_size=True)


def tensor_product(h: Float[Array, "n ..."], tensor: Values, power: float) -> Float[Array, " n"]:
    """dot(H, T) / positions * max(.1, cosine(H, T))^power per image, H and T cut about their centers to one size."""
    t = jnp.asarray(tensor, jnp.float32)[None]
    sizes = [min(pair) for pair in zip(h.shape[1:-1], t.shape[1:-1], strict=True)]
    h, t = _cut_center(h, sizes), _cut_center(t, sizes)
    axes = tuple(range(1, h.ndim))
    dot = jnp.sum(h * t, axis=axes)
    norms = jnp.sqrt(jnp.sum(jnp.square(h), axis=axes) + 1e-12) * jnp.sqrt(jnp.sum(jnp.square(t)))
    return scale_by_cosine(dot, norms, power) / prod(sizes)


def _cut_center(values: Array, sizes: list[int]) -> Array:
    for axis, size in enumerate(sizes, start=1):
        first = (values.shape[axis] - size) // 2
        values = jax.lax.slice_in_dim(values, first, first + size, axis=axis)
    return values


def tensor_direction(layer: str, tensor: ArrayLike, *, power: float = 0.0) -> Objective:
    """A direction in the space of a layer's whole tensor: dot(H, T) / positions * max(.1, cosine(H, T))^power.

    Args:
      layer: the name of the layer.
      tensor: T, of the rank and the units of one image's activation: (h, w, units), (tokens, units) or (units,). If it
        has more or fewer positions, both are cut about their centers (lucid's `tensor_direction`).
      power: how much the angle counts beside the length, from 0.

    Raises:
      FeatvizError: by `render`, for a tensor of another rank or number of units than the layer's.

    >>> h = jnp.arange(8.0).reshape(1, 2, 2, 2)
    >>> float(tensor_direction("conv1", np.ones((2, 2, 2)))({"conv1": h})[0])
    7.0
    """
    return single(TensorDirection(layer, np.asarray(tensor, np.float32), float(power)))


def caricature(layer: str, features: ArrayLike, *, power: float = 1.0) -> Objective:
    """A caricature of an image as a layer sees it: dot(H, A) / positions * max(.1, cosine(H, A))^power.

    Args:
      layer: the name of the layer.
      features: A, the image's activations as `fv.observe` gives them, for an image of the picture's own size.
      power: how much the angle counts beside the length, from 0.

    Raises:
      FeatvizError: by `render`, for features of another shape than the layer's.

    References:
      lucid's `dot_compare`; Olah 2018.

    >>> float(caricature("fc", np.array([1.0, 0.0]), power=0.0)({"fc": jnp.array([[3.0, 2.0]])})[0])
    3.0
    """
    return single(Caricature(layer, np.asarray(features, np.float32), float(power)))


def _ramp(shape: tuple[int, ...]) -> np.ndarray:
    return np.linspace(-1, 1, prod(shape)).reshape(shape)


EXAMPLES: Examples = {
    "tensor direction": lambda layer, shape: tensor_direction(layer, _ramp(shape)),
    "tensor direction by its angle": lambda layer, shape: tensor_direction(layer, _ramp(shape), power=2.0),
    "caricature": lambda layer, shape: caricature(layer, _ramp(shape)),
}
