"""The gated autoencoder: whether a latent is there and how much are two biases of one encoder (Rajamanoharan 2024)."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Float

from featviz.dictionaries.kinds.base import Inputs, Latents, Values, add_last, along_last, product
from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class GatedSae(SparseAutoencoder):
    """z = relu(p exp(magnitude) + encoder_bias) where p + gate_bias > 0, p = (x - decoder_bias) encoder.

    Pictures maximize what the ReLU is of. A latent survives where its gate is open too.

    Attributes:
      magnitude: (latents,), the logarithm of how much longer the magnitude's rows are than the gate's.
      gate_bias: (latents,).
    """

    name: ClassVar[str] = "gated"
    title: ClassVar[str] = "gated sparse autoencoder"
    magnitude: Float[Values, " latents"]
    gate_bias: Float[Values, " latents"]

    def pre_activation(self, inputs: Inputs) -> Latents:
        return self._magnify(self._project(inputs))

    def encode(self, inputs: Inputs) -> Latents:
        projections = self._project(inputs)
        magnitudes = jnp.maximum(self._magnify(projections), 0)
        return jnp.where(add_last(projections, self.gate_bias) > 0, magnitudes, 0)

    def _project(self, inputs: Inputs) -> Latents:
        return product(add_last(inputs, -self.decoder_bias) if self.centered else inputs, self.encoder)

    def _magnify(self, projections: Latents) -> Latents:
        return add_last(projections * jnp.exp(along_last(self.magnitude, projections)), self.encoder_bias)

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(units, latents), "magnitude": (latents,), "gate_bias": (latents,)}
