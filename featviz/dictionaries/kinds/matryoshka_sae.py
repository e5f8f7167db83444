"""The Matryoshka autoencoder: its first latents reconstruct by themselves, coarse first (Bussmann et al. 2025)."""

from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar

import jax

from featviz.dictionaries.kinds.base import STATIC, Inputs, Latents
from featviz.dictionaries.kinds.wrapped_autoencoder import WrappedAutoencoder
from featviz.errors import FeatvizError


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class MatryoshkaSae(WrappedAutoencoder):
    """A sparse autoencoder of any kind whose latents lie in nested groups.

    Attributes:
      groups: how many latents each group has beyond those of the groups before it.
    """

    name: ClassVar[str] = "matryoshka"
    title: ClassVar[str] = "Matryoshka sparse autoencoder"
    groups: tuple[int, ...] = field(metadata=STATIC)

    @property
    def summary(self) -> str:
        return f"groups of {', '.join(map(str, self.groups))} latents, {self.inner_summary}"

    def decode_groups(self, latents: Latents) -> tuple[Inputs, ...]:
        """The reconstruction by the first group, by the first two, and so on."""
        return tuple(self.autoencoder.decode(latents.at[..., end:].set(0.0)) for end in accumulate(self.groups))

    def check_values(self) -> None:
        if sum(self.groups) != self.latents or min(self.groups, default=0) < 1:
            raise FeatvizError(
                f"its groups are of {', '.join(map(str, self.groups))} latents; expected groups of one latent or more, "
                f"{self.latents} in all"
            )

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {}
