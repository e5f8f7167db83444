"""NMF: activations as sums of non-negative directions, none of them subtracted (Lee and Seung 1999)."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.dictionaries.kinds.base import Code, Inputs, Latents, Values, product

# Sweeps over all latents: enough for 1e-6 of the largest latent where the directions are not nearly parallel.
SWEEPS = 200


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class NonnegativeFactors(Code):
    """z = the non-negative latents for which |x - z components|²/2 + l1 sum(z) + l2 |z|²/2 is smallest.

    Pictures maximize the least squares without the constraint, which are linear in x.

    Attributes:
      components: (latents, units).
      l1: ().
      l2: ().
    """

    name: ClassVar[str] = "nmf"
    title: ClassVar[str] = "non-negative factors"
    components: Float[Values, "latents units"]
    l1: Float[Values, ""]
    l2: Float[Values, ""]

    @property
    def directions(self) -> Float[Values, "latents units"]:
        return self.components

    def pre_activation(self, inputs: Inputs) -> Latents:
        return product(inputs, jnp.linalg.pinv(self.components))

    def encode(self, inputs: Inputs) -> Latents:
        gram = product(self.components, self.components.T) + self.l2 * jnp.eye(self.latents)
        return _nonnegative_minimum(gram, product(inputs, self.components.T) - self.l1)

    def decode(self, latents: Latents) -> Inputs:
        return product(latents, self.components)

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {"components": (latents, units), "l1": (), "l2": ()}


def _nonnegative_minimum(gram: Float[Array, "k k"], linear: Float[Array, "*n k"]) -> Float[Array, "*n k"]:
    """The z >= 0 with the smallest z gram z / 2 - linear z, by coordinate descent."""
    diagonal = jnp.diagonal(gram)
    # A direction of zeros has no latent.
    inverse = jnp.where(diagonal > 0, 1 / jnp.where(diagonal > 0, diagonal, 1), 0)

    def update(index: Array, z: Array) -> Array:
        gradient = linear[..., index] - product(z, gram[:, index])
        value = jnp.maximum(z[..., index] + gradient * inverse[index], 0)
        return z.at[..., index].set(jnp.where(diagonal[index] > 0, value, 0))

    def sweep(_: int, z: Array) -> Array:
        return jax.lax.fori_loop(0, gram.shape[0], update, z)

    return jax.lax.fori_loop(0, SWEEPS, sweep, jnp.zeros_like(linear))
