"""What every kind of dictionary says about itself."""

from abc import ABC, abstractmethod
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.errors import FeatvizError

# The metadata of a field that is part of a code's structure; all other fields are arrays, or codes within.
STATIC = {"static": True}

Values = np.ndarray | jax.Array
Inputs = Float[Array, "*positions units"]
Latents = Float[Array, "*positions latents"]


class Code(ABC):
    """How inputs become latents and latents become inputs again: a frozen dataclass that JAX knows as a pytree.

    Inputs are a layer's activations as the dictionary's normalization leaves them. Every function acts on the last
    axis. The contract, which `tests/dictionaries/kinds/` holds for every kind: `encode` is finite and agrees with
    numpy, the gradient of `pre_activation` exists everywhere, and files give the same code again.
    """

    # The kind as files and the command line write it, and in words.
    name: ClassVar[str]
    title: ClassVar[str]
    # Whether the smallest value of a latent is 0, which stands for its absence.
    rectified: ClassVar[bool] = True

    @property
    @abstractmethod
    def directions(self) -> Float[Values, "latents units"]:
        """What one of each latent adds to the reconstruction: the rows of the decoder."""

    @abstractmethod
    def pre_activation(self, inputs: Inputs) -> Latents:
        """The latents before what makes them sparse: smooth in the inputs, and what pictures maximize."""

    @abstractmethod
    def encode(self, inputs: Inputs) -> Latents:
        """The latents."""

    @abstractmethod
    def decode(self, latents: Latents) -> Inputs:
        """The inputs that latents stand for."""

    def added(self, latent: int | Int[Array, ""]) -> Float[Array, " units"]:
        """What one of a latent adds to what `decode` gives, which is linear in the latents but for a constant."""
        return jnp.asarray(self.directions, jnp.float32)[latent]

    @property
    def units(self) -> int:
        """The width of its inputs."""
        return int(self.directions.shape[1])

    @property
    def latents(self) -> int:
        """The number of its latents."""
        return int(self.directions.shape[0])

    @property
    def summary(self) -> str:
        """What the kind has beside its width, in words: `k 32`."""
        return ""

    def check_values(self) -> None:  # noqa: B027
        """Raises FeatvizError unless numbers that are no arrays, such as k, fit the arrays."""

    @abstractmethod
    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        """The shapes that its arrays have, by the names of their fields."""


def check_k(k: object, least: int, latents: int) -> None:
    """Raises FeatvizError unless k is a whole number from `least` to the number of latents.

    >>> check_k(12, 1, 9)
    Traceback (most recent call last):
    ...
    featviz.errors.FeatvizError: its k is 12; expected a whole number from 1 to 9, the number of its latents
    """
    if type(k) is not int or not least <= k <= latents:
        shown = " ".join(str(k).split())[:40]
        raise FeatvizError(
            f"its k is {shown}; expected a whole number from {least} to {latents}, the number of its latents"
        )


def product(left: Values, right: Values) -> Array:
    """The matrix product in full single precision, on accelerators too.

    >>> product(np.ones((1, 2), np.float32), np.ones((2, 1), np.float32)).tolist()
    [[2.0]]
    """
    # A network's weights may be in bfloat16.
    left, right = jnp.asarray(left, jnp.float32), jnp.asarray(right, jnp.float32)
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def along_last(vector: Values, values: Values) -> Array:
    """A vector with axes of size 1 before it, so that it broadcasts with `values`.

    >>> along_last(np.ones(3), np.ones((2, 4, 3))).shape
    (1, 1, 3)
    """
    return jnp.expand_dims(jnp.asarray(vector, jnp.float32), tuple(range(np.ndim(values) - np.ndim(vector))))


def add_last(values: Values, vector: Values) -> Array:
    """A vector added along the last axis.

    >>> add_last(np.zeros((1, 2), np.float32), np.array([1.0, 2.0])).tolist()
    [[1.0, 2.0]]
    """
    return jnp.asarray(values, jnp.float32) + along_last(vector, values)


def keep_largest(latents: Latents, k: int) -> Latents:
    """The k largest latents of each position, and 0 for the others.

    >>> keep_largest(jnp.array([3.0, 1.0, 2.0]), 2).tolist()
    [3.0, 0.0, 2.0]
    """
    if k >= latents.shape[-1]:
        return latents
    values, indices = jax.lax.top_k(latents, k)
    return jnp.put_along_axis(jnp.zeros_like(latents), indices, values, axis=-1, inplace=False)


def keep_above(latents: Latents, threshold: Values) -> Latents:
    """relu of the latents above a threshold, one of all or one of each, and 0 for the others.

    >>> keep_above(jnp.array([3.0, 1.0, -1.0]), np.array(-2.0)).tolist()
    [3.0, 1.0, 0.0]
    >>> keep_above(jnp.array([3.0, 1.0, 2.0]), np.array([4.0, 0.0, 2.0])).tolist()
    [0.0, 1.0, 0.0]
    """
    return jnp.where(latents > along_last(threshold, latents), jnp.maximum(latents, 0), 0)
