"""What autoencoders around another one share: the inner one encodes and decodes."""

from dataclasses import dataclass

from jaxtyping import Float

from featviz.dictionaries.kinds.base import Code, Inputs, Latents, Values
from featviz.dictionaries.kinds.sparse_autoencoder import SparseAutoencoder


@dataclass(frozen=True, eq=False, kw_only=True)
class WrappedAutoencoder(Code):
    """A sparse autoencoder of any kind, with what the wrapping kind knows of its latents.

    Attributes:
      autoencoder: the autoencoder, which decides what a latent is.
    """

    autoencoder: SparseAutoencoder

    @property
    def directions(self) -> Float[Values, "latents units"]:
        return self.autoencoder.directions

    @property
    def inner_summary(self) -> str:
        """The inner autoencoder in words: its title, and what it has beside its width."""
        return ", ".join(filter(None, (self.autoencoder.title, self.autoencoder.summary)))

    def pre_activation(self, inputs: Inputs) -> Latents:
        return self.autoencoder.pre_activation(inputs)

    def encode(self, inputs: Inputs) -> Latents:
        return self.autoencoder.encode(inputs)

    def decode(self, latents: Latents) -> Inputs:
        return self.autoencoder.decode(latents)
