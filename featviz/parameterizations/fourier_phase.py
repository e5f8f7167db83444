"""The phase of a photograph's spectrum, with its magnitudes fixed: for accentuation."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape, squash, unsquash
from featviz.parameterizations.maco import MACO, Phase


class PhaseParams(NamedTuple):
    """The parameters of `FourierPhase`; the magnitude has no gradient, so no step changes it."""

    phase: Float[Array, "n h f c"]
    gate: Float[Array, "n h f c"]
    magnitude: Float[Array, "n h f c"]


@dataclass(frozen=True)
class FourierPhase(Parameterization):
    """sigmoid(color(irfft2(magnitude * sigmoid(gate) * e^(i phase)))), with the fixed magnitude of the start image.

    A frequency can move or, by its gate, fade, but never exceed its magnitude at the start: pictures stay as natural
    as the image they began at. Without a start image it is noise of natural magnitudes, as in `MACO(Phase.UNIFORM)`.

    Args:
      gate: where gates begin; 5 is almost open.

    References:
      Hamblin et al. 2024; faccent, param.py, `fourier_phase`.

    >>> phases = FourierPhase()
    >>> photo = jnp.full((1, 8, 9, 3), 0.25).at[0, 2:4].set(0.75)
    >>> bool(jnp.abs(phases.to_image(phases.from_image(photo), (1, 8, 9, 3)) - photo).max() < 0.01)
    True
    """

    # 1 - sigmoid(gate) of the start's contrast is missing.
    inverse_tolerance: ClassVar[float | None] = 0.01
    gate: float = 5.0

    def init(self, key: PRNGKeyArray, shape: Shape) -> PhaseParams:
        noise = MACO(Phase.UNIFORM)
        return self.from_image(noise.to_image(noise.init(key, shape), shape))

    def to_image(self, params: PhaseParams, shape: Shape) -> Float[Array, "n h w c"]:
        size = jax.lax.stop_gradient(params.magnitude) * jax.nn.sigmoid(params.gate)
        wave = jax.lax.complex(size * jnp.cos(params.phase), size * jnp.sin(params.phase))
        return squash(jnp.fft.irfft2(wave, s=shape[1:3], axes=(1, 2)), decorrelate=True)

    def from_image(self, image: Float[Array, "n h w c"]) -> PhaseParams:
        spectrum = jnp.fft.rfft2(unsquash(image, decorrelate=True), axes=(1, 2))
        magnitude = jnp.abs(spectrum)
        return PhaseParams(jnp.angle(spectrum), jnp.full_like(magnitude, self.gate), magnitude)
