"""What all linear kinds share: latents of either sign that are linear in the inputs."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float

from featviz.dictionaries.kinds.base import Code, Inputs, Latents, Values, add_last, product


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearCode(Code):
    """z = (x - mean) encoder, and x = z decoder + mean.

    Attributes:
      mean: (units,).
      encoder: (units, latents).
      decoder: (latents, units).
    """

    rectified: ClassVar[bool] = False
    mean: Float[Values, " units"]
    encoder: Float[Values, "units latents"]
    decoder: Float[Values, "latents units"]

    @property
    def directions(self) -> Float[Values, "latents units"]:
        return self.decoder

    def pre_activation(self, inputs: Inputs) -> Latents:
        return product(add_last(inputs, -self.mean), self.encoder)

    def encode(self, inputs: Inputs) -> Latents:
        return self.pre_activation(inputs)

    def decode(self, latents: Latents) -> Inputs:
        return add_last(product(latents, self.decoder), self.mean)

    def shapes(self, units: int, latents: int) -> dict[str, tuple[int, ...]]:
        return {"mean": (units,), "encoder": (units, latents), "decoder": (latents, units)}
