"""The ReLU autoencoder: sparse by an L1 penalty during its training (Bricken et al. 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import jax

from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class ReluSae(SparseAutoencoder):
    """z = relu((x - decoder_bias) encoder + encoder_bias)."""

    name: ClassVar[str] = "relu"
    title: ClassVar[str] = "ReLU sparse autoencoder"
