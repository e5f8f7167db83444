"""The JumpReLU autoencoder: each latent has its own threshold (Rajamanoharan et al. 2024)."""

from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Float

from featviz.dictionaries.kinds.base import Latents, Values, keep_above
from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class JumpReluSae(SparseAutoencoder):
    """z = relu(a) where a > threshold, a = (x - decoder_bias) encoder + encoder_bias.

    Attributes:
      threshold: (latents,).
    """

    name: ClassVar[str] = "jump_relu"
    title: ClassVar[str] = "JumpReLU sparse autoencoder"
    threshold: Float[Values, " latents"]

    def sparsify(self, pre_activations: Latents) -> Latents:
        return keep_above(pre_activations, self.threshold)

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(units, latents), "threshold": (latents,)}
