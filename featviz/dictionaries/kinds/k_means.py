"""k-means: each activation is its nearest center."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Float

from featviz.dictionaries.kinds.base import Code, Inputs, Latents, Values, add_last, product


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class KMeans(Code):
    """z = 1 for the nearest center and 0 for all others; x = that center.

    The pre-activation x·c - |c|²/2 is largest for the nearest center.

    Attributes:
      centers: (latents, units).
    """

    name: ClassVar[str] = "k_means"
    title: ClassVar[str] = "k-means centers"
    centers: Float[Values, "latents units"]

    @property
    def directions(self) -> Float[Values, "latents units"]:
        return self.centers

    def pre_activation(self, inputs: Inputs) -> Latents:
        return add_last(product(inputs, self.centers.T), -jnp.sum(jnp.square(self.centers), axis=1) / 2)

    def encode(self, inputs: Inputs) -> Latents:
        nearest = jnp.argmax(self.pre_activation(inputs), axis=-1)
        return jax.nn.one_hot(nearest, self.latents, dtype=jnp.float32)

    def decode(self, latents: Latents) -> Inputs:
        return product(latents, self.centers)

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {"centers": (latents, units)}
