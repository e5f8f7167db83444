"""The BatchTopK autoencoder: k latents a position on average, by one threshold (Bussmann et al. 2024)."""

from dataclasses import dataclass, field
from typing import ClassVar

import jax
from jaxtyping import Float

from featviz.dictionaries.kinds.base import STATIC, Latents, Values, check_k, keep_above
from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class BatchTopKSae(SparseAutoencoder):
    """z = relu(a) where a > threshold, a = (x - decoder_bias) encoder + encoder_bias.

    In training the k n largest latents of a batch of n positions are kept. Afterwards a latent of one image must not
    depend on other images, so the threshold that was fitted takes the batch's place.

    Attributes:
      threshold: (), the mean of the smallest latent that the training kept.
      k: how many latents are left on average; 0 where a file does not say.
    """

    name: ClassVar[str] = "batch_topk"
    title: ClassVar[str] = "BatchTopK sparse autoencoder"
    threshold: Float[Values, ""]
    k: int = field(metadata=STATIC)

    @property
    def summary(self) -> str:
        mean = f"k {self.k} on average, " if self.k else ""
        return f"{mean}threshold {float(self.threshold):.4g}"

    def check_values(self) -> None:
        check_k(self.k, 0, self.latents)

    def sparsify(self, pre_activations: Latents) -> Latents:
        return keep_above(pre_activations, self.threshold)

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(units, latents), "threshold": ()}
