"""What all sparse autoencoders share: a linear encoder and decoder with their biases."""

from dataclasses import dataclass, field

import jax.numpy as jnp
from jaxtyping import Float

from featviz.dictionaries.kinds.base import STATIC, Code, Inputs, Latents, Values, add_last, product


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseAutoencoder(Code):
    """z = (x - decoder_bias) encoder + encoder_bias, made sparse as the kind does; x = z decoder + decoder_bias.

    Attributes:
      encoder: (units, latents).
      encoder_bias: (latents,).
      decoder: (latents, units), whose rows are the latents' directions.
      decoder_bias: (units,).
      centered: whether the encoder subtracts the decoder's bias from its inputs.
    """

    encoder: Float[Values, "units latents"]
    encoder_bias: Float[Values, " latents"]
    decoder: Float[Values, "latents units"]
    decoder_bias: Float[Values, " units"]
    centered: bool = field(default=True, metadata=STATIC)

    @property
    def directions(self) -> Float[Values, "latents units"]:
        return self.decoder

    def pre_activation(self, inputs: Inputs) -> Latents:
        inputs = add_last(inputs, -self.decoder_bias) if self.centered else inputs
        return add_last(product(inputs, self.encoder), self.encoder_bias)

    def encode(self, inputs: Inputs) -> Latents:
        return self.sparsify(self.pre_activation(inputs))

    def sparsify(self, pre_activations: Latents) -> Latents:
        """The latents of pre-activations: what the kinds differ in. A ReLU by default."""
        return jnp.maximum(pre_activations, 0)

    def decode(self, latents: Latents) -> Inputs:
        return add_last(product(latents, self.decoder), self.decoder_bias)

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {
            "encoder": (units, latents),
            "encoder_bias": (latents,),
            "decoder": (latents, units),
            "decoder_bias": (units,),
        }
