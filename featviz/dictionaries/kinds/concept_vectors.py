"""Concept vectors and linear probes: directions that separate examples of a concept from others (Kim et al. 2018)."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from featviz.dictionaries.kinds.base import Code, Inputs, Latents, Values, add_last, product


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class ConceptVectors(Code):
    """z = x vectorsᵀ + bias, a probe's logit; the reconstruction is the smallest x that has these latents.

    Attributes:
      vectors: (latents, units).
      bias: (latents,).
    """

    name: ClassVar[str] = "concepts"
    title: ClassVar[str] = "concept vectors"
    rectified: ClassVar[bool] = False
    vectors: Float[Values, "latents units"]
    bias: Float[Values, " latents"]

    @property
    def directions(self) -> Float[Values, "latents units"]:
        return self.vectors

    def pre_activation(self, inputs: Inputs) -> Latents:
        return add_last(product(inputs, self.vectors.T), self.bias)

    def encode(self, inputs: Inputs) -> Latents:
        return self.pre_activation(inputs)

    def decode(self, latents: Latents) -> Inputs:
        return product(add_last(latents, -self.bias), jnp.linalg.pinv(self.vectors.T))

    def added(self, latent: int | Int[Array, ""]) -> Float[Array, " units"]:
        return jnp.linalg.pinv(self.vectors.T)[latent]

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {"vectors": (latents, units), "bias": (latents,)}
