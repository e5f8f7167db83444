"""The Matryoshka autoencoder: its first latents reconstruct by themselves, coarse first (Bussmann et al. 2025)."""

from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar

import jax
from jaxtyping import Float

from featviz.dictionaries.kinds.base import STATIC, Code, Inputs, Latents, Values
from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class MatryoshkaSae(Code):
    """A sparse autoencoder of any kind whose latents lie in nested groups.

    Attributes:
      autoencoder: the autoencoder, which decides what a latent is.
      groups: how many latents each group has beyond those of the groups before it.
    """

    name: ClassVar[str] = "matryoshka"
    title: ClassVar[str] = "Matryoshka sparse autoencoder"
    autoencoder: SparseAutoencoder
    groups: tuple[int, ...] = field(metadata=STATIC)

    @property
    def directions(self) -> Float[Values, "latents units"]:
        return self.autoencoder.directions

    @property
    def summary(self) -> str:
        inner = ", ".join(filter(None, (self.autoencoder.title, self.autoencoder.summary)))
        return f"groups of {', '.join(map(str, self.groups))} latents, {inner}"

    def pre_activation(self, inputs: Inputs) -> Latents:
        return self.autoencoder.pre_activation(inputs)

    def encode(self, inputs: Inputs) -> Latents:
        return self.autoencoder.encode(inputs)

    def decode(self, latents: Latents) -> Inputs:
        return self.autoencoder.decode(latents)

    def decode_groups(self, latents: Latents) -> tuple[Inputs, ...]:
        """The reconstruction by the first group, by the first two, and so on."""
        return tuple(self.autoencoder.decode(latents.at[..., end:].set(0.0)) for end in accumulate(self.groups))

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {}
