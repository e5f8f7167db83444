"""The archetypal autoencoder: each direction is a mixture of real activations, or near one (Fel et al. 2025)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.dictionaries.kinds.base import Values, product
from featviz.dictionaries.kinds.wrapped_autoencoder import WrappedAutoencoder


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class ArchetypalSae(WrappedAutoencoder):
    """A sparse autoencoder whose decoder is exp(log_scale) (mixture points + relaxation).

    The decoder of `autoencoder` is this product, computed once; `with_decoder` computes it anew.

    Attributes:
      mixture: (latents, points), whose rows are non-negative and have the sum 1.
      points: (points, units), activations that were chosen before the training.
      relaxation: (latents, units), how far each direction may lie from its mixture; zeros without relaxation.
      log_scale: ().
    """

    name: ClassVar[str] = "archetypal"
    title: ClassVar[str] = "archetypal sparse autoencoder"
    mixture: Float[Values, "latents points"]
    points: Float[Values, "points units"]
    relaxation: Float[Values, "latents units"]
    log_scale: Float[Values, ""]

    @property
    def summary(self) -> str:
        return f"mixtures of {self.points.shape[0]} activations, {self.inner_summary}"

    def with_decoder(self) -> "ArchetypalSae":
        """The same with the decoder that its mixtures, points and relaxation make."""
        decoder: Array = (product(self.mixture, self.points) + self.relaxation) * jnp.exp(self.log_scale)
        return replace(self, autoencoder=replace(self.autoencoder, decoder=decoder))

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        count = int(self.points.shape[0])
        return {"mixture": (latents, count), "points": (count, units), "relaxation": (latents, units), "log_scale": ()}
