"""MACO: the magnitudes are those of natural images, only the phase is optimized."""

import enum
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.parameterizations.base import Parameterization, Shape, squash, unsquash
from featviz.parameterizations.spectrum import Spectrum, natural_spectrum


class Phase(enum.Enum):
    """How the phase begins, and how it is used in each step."""

    # N(0, 1), standardized to mean 0 and deviation 1 in every forward pass: as published.
    STANDARDIZED = "standardized"
    # U(-pi, pi), as it is. All phases are alike, so it has no burst in a corner, as N(0, 1) has.
    UNIFORM = "uniform"


@dataclass(frozen=True)
class MACO(Parameterization):
    """sigmoid(color(standardize(irfft2(magnitude * e^(i phase))))), with natural magnitudes.

    standardize(t) = (t - mean) / (sd + 1e-4) over each image, which gives it a photograph's contrast. `from_image`
    keeps a photograph's phase and loses its magnitudes. Params: the phase, (n, height, width // 2 + 1, channels).

    Args:
      phase: how the phase begins and is used.
      spectrum: the magnitudes; None for `natural_spectrum()`. Gray images, and those of other channel counts, get
          its mean over colors.

    References:
      Fel et al. 2023.

    >>> maco, uniform = MACO(), MACO(Phase.UNIFORM)
    >>> maco.to_image(maco.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3)).shape
    (1, 8, 9, 3)
    """

    inverse_tolerance: ClassVar[float | None] = None
    phase: Phase = Phase.STANDARDIZED
    spectrum: Spectrum | None = None

    def init(self, key: PRNGKeyArray, shape: Shape) -> Float[Array, "n h f c"]:
        n, height, width, channels = shape
        size = (n, height, width // 2 + 1, channels)
        if self.phase is Phase.UNIFORM:
            return jax.random.uniform(key, size, jnp.float32, -np.float32(np.pi), np.float32(np.pi))
        return jax.random.normal(key, size, jnp.float32)

    def to_image(self, params: Float[Array, "n h f c"], shape: Shape) -> Float[Array, "n h w c"]:
        spectrum = natural_spectrum() if self.spectrum is None else self.spectrum
        magnitude = jnp.asarray(_scale_to_unit_power(spectrum.resample(shape[1:3], shape[3]), shape[2]))[None]
        angle = _standardize(params, eps=1e-5) if self.phase is Phase.STANDARDIZED else params
        wave = jax.lax.complex(magnitude * jnp.cos(angle), magnitude * jnp.sin(angle))
        t = jnp.fft.irfft2(wave, s=shape[1:3], axes=(1, 2))
        return squash(_standardize(t, eps=1e-4), decorrelate=True)

    def from_image(self, image: Float[Array, "n h w c"]) -> Float[Array, "n h f c"]:
        return jnp.angle(jnp.fft.rfft2(unsquash(image, decorrelate=True), axes=(1, 2)))


def _scale_to_unit_power(magnitude: Float[np.ndarray, "h f c"], width: int) -> Float[np.ndarray, "h f c"]:
    """Scales magnitudes to those of an image of standard deviation 1, by Parseval's theorem.

    A spectrum may have any scale, and the published standardization adds 1e-4 to what it divides by: on one scaled to
    1 at most that left a fifth of the contrast.
    """
    columns = np.full(magnitude.shape[1], 2.0)
    # These frequencies count once, all others for their mirror images as well.
    columns[0] = 1.0
    if width % 2 == 0:
        columns[-1] = 1.0
    power = np.sum(np.square(magnitude, dtype=np.float64) * columns[None, :, None], axis=(0, 1)).mean()
    return (magnitude * (magnitude.shape[0] * width / max(float(power), 1e-30) ** 0.5)).astype(np.float32)


def _standardize(values: Float[Array, "n h w c"], *, eps: float) -> Float[Array, "n h w c"]:
    axes = (1, 2, 3)
    centered = values - jnp.mean(values, axis=axes, keepdims=True)
    return centered / (jnp.std(values, axis=axes, keepdims=True) + eps)
