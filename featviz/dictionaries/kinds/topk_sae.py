"""The TopK autoencoder: the k largest latents of each position (Gao et al. 2024), or those of largest magnitude."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from featviz.dictionaries.kinds.base import STATIC, Latents, check_k, keep_largest
from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class TopKSae(SparseAutoencoder):
    """z = the k largest of relu((x - decoder_bias) encoder + encoder_bias) at each position.

    Attributes:
      k: how many latents are left, from 1.
      signed: whether negative latents among the k largest are left too, as saev leaves them.
      magnitudes: whether the k of largest magnitude are left, each with its sign: an AbsTopK autoencoder.
    """

    name: ClassVar[str] = "topk"
    title: ClassVar[str] = "TopK sparse autoencoder"
    k: int = field(metadata=STATIC)
    signed: bool = field(default=False, metadata=STATIC)
    magnitudes: bool = field(default=False, metadata=STATIC)

    @property
    def summary(self) -> str:
        return f"k {self.k}{', by magnitude' * self.magnitudes}"

    def check_values(self) -> None:
        check_k(self.k, 1, self.latents)

    def sparsify(self, pre_activations: Latents) -> Latents:
        if self.magnitudes:
            return jnp.where(keep_largest(jnp.abs(pre_activations), self.k) > 0, pre_activations, 0)
        return keep_largest(pre_activations if self.signed else jnp.maximum(pre_activations, 0), self.k)
