"""MACO: the magnitudes are those of photographs, only the phase is optimized."""

import enum
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from featviz.parameterizations.base import Shape, squash, unsquash
from featviz.parameterizations.fourier import Spectrum, natural_spectrum


class Phase(enum.Enum):
    """What the phase is drawn from, and what is made of it in each step."""

    # N(0, 1), shifted and scaled to mean 0 and deviation 1 in every forward pass: as published.
    STANDARDIZED = "standardized"
    # U(-pi, pi), as it is. No burst in a corner, as N(0, 1) has: all phases are alike.
    UNIFORM = "uniform"


@dataclass(frozen=True)
class Maco:
    """sigmoid(color(standardize(irfft2(magnitude * e^(i phase))))) with natural magnitudes (Fel et al. 2023).

    standardize is (t - mean) / (sd + 1e-4) over each image; its contrast is so a photograph's. Params: the phase,
    (n, height, width // 2 + 1, channels). Without a `spectrum` it is `natural_spectrum()`; gray images and those of
    other bands have its mean over colors. `from_image` keeps a photograph's phase, its magnitudes are lost.

    >>> maco = Maco()
    >>> maco.to_image(maco.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3)).shape
    (1, 8, 9, 3)
    """

    phase: Phase = Phase.STANDARDIZED
    spectrum: Spectrum | None = None

    def init(self, key: jax.Array, shape: Shape) -> jax.Array:
        n, height, width, channels = shape
        size = (n, height, width // 2 + 1, channels)
        if self.phase is Phase.UNIFORM:
            return jax.random.uniform(key, size, jnp.float32, -np.float32(np.pi), np.float32(np.pi))
        return jax.random.normal(key, size, jnp.float32)

    def to_image(self, params: jax.Array, shape: Shape) -> jax.Array:
        spectrum = natural_spectrum() if self.spectrum is None else self.spectrum
        magnitude = jnp.asarray(_of_unit_power(spectrum.at(shape[1:3], shape[3]), shape[2]))[None]
        angle = _standardize(params, eps=1e-5) if self.phase is Phase.STANDARDIZED else params
        wave = jax.lax.complex(magnitude * jnp.cos(angle), magnitude * jnp.sin(angle))
        t = jnp.fft.irfft2(wave, s=shape[1:3], axes=(1, 2))
        return squash(_standardize(t, eps=1e-4), decorrelate=True)

    def from_image(self, image: jax.Array) -> jax.Array:
        return jnp.angle(jnp.fft.rfft2(unsquash(image, decorrelate=True), axes=(1, 2)))


def _of_unit_power(magnitude: np.ndarray, width: int) -> np.ndarray:
    """Magnitudes, (height, width // 2 + 1, channels), of an image of standard deviation 1, by Parseval's theorem.

    A spectrum may have any scale, and the published standardization adds 1e-4 to what it divides by: on one scaled to
    1 at most that left a fifth of the contrast.
    """
    columns = np.full(magnitude.shape[1], 2.0)
    # These stand for themselves, the others for their mirror images as well.
    columns[0] = 1.0
    if width % 2 == 0:
        columns[-1] = 1.0
    power = np.sum(np.square(magnitude, dtype=np.float64) * columns[None, :, None], axis=(0, 1)).mean()
    return (magnitude * (magnitude.shape[0] * width / max(float(power), 1e-30) ** 0.5)).astype(np.float32)


def _standardize(values: jax.Array, *, eps: float) -> jax.Array:
    axes = (1, 2, 3)
    centered = values - jnp.mean(values, axis=axes, keepdims=True)
    return centered / (jnp.std(values, axis=axes, keepdims=True) + eps)
