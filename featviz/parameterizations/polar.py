"""A photograph's own magnitudes, held, and its phase: what is optimized in place of a photograph."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from featviz.parameterizations.base import Shape, squash, unsquash
from featviz.parameterizations.maco import Maco, Phase


class PolarParams(NamedTuple):
    """Each (n, height, width // 2 + 1, channels); the magnitude has no gradient, so no step changes it."""

    phase: jax.Array
    gate: jax.Array
    magnitude: jax.Array


@dataclass(frozen=True)
class Polar:
    """sigmoid(color(irfft2(magnitude * sigmoid(gate) * e^(i phase)))), the magnitude that of the start image, fixed.

    No frequency can gain what the start had not, only move it or, by its gate, lose it: pictures stay as natural as
    what they began at. Gates begin at `gate`, almost open (Hamblin et al. 2024, faccent, param.py, `fourrier_phase`).
    Without a start it is noise of natural magnitudes, as `Maco(Phase.UNIFORM)` has it.

    >>> polar = Polar()
    >>> photo = jnp.full((1, 8, 9, 3), 0.25).at[0, 2:4].set(0.75)
    >>> bool(jnp.abs(polar.to_image(polar.from_image(photo), (1, 8, 9, 3)) - photo).max() < 0.01)
    True
    """

    gate: float = 5.0

    def init(self, key: jax.Array, shape: Shape) -> PolarParams:
        noise = Maco(Phase.UNIFORM)
        return self.from_image(noise.to_image(noise.init(key, shape), shape))

    def to_image(self, params: PolarParams, shape: Shape) -> jax.Array:
        size = jax.lax.stop_gradient(params.magnitude) * jax.nn.sigmoid(params.gate)
        wave = jax.lax.complex(size * jnp.cos(params.phase), size * jnp.sin(params.phase))
        return squash(jnp.fft.irfft2(wave, s=shape[1:3], axes=(1, 2)), decorrelate=True)

    def from_image(self, image: jax.Array) -> PolarParams:
        spectrum = jnp.fft.rfft2(unsquash(image, decorrelate=True), axes=(1, 2))
        magnitude = jnp.abs(spectrum)
        return PolarParams(jnp.angle(spectrum), jnp.full_like(magnitude, self.gate), magnitude)
