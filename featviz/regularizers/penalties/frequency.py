"""A penalty on the power of high frequencies."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.errors import FeatvizError
from featviz.model import IMAGE, Activations
from featviz.objectives.base import STATIC
from featviz.objectives.objective import Examples, Objective, single
from featviz.regularizers.penalties.base import PENALTIES, ImageTerm, named


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FrequencyPower(ImageTerm):
    """sum_f |2 f|^exponent |X(f)|^2 / (h w)^2, f in cycles a pixel, X the Fourier transform; averaged over channels."""

    exponent: float = field(metadata=STATIC)

    @property
    def label(self) -> str:
        return f"frequency power^{self.exponent:g}"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        image = activations[IMAGE]
        height, width = image.shape[1:3]
        radius = 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
        # The mean, frequency 0, is never penalized, whatever the exponent.
        weight = np.where(radius > 0, np.maximum(radius, 1e-9) ** self.exponent, 0) / (height * width) ** 2
        spectrum = jnp.fft.fft2(image, axes=(1, 2))
        power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
        return jnp.mean(jnp.sum(power * weight.astype(np.float32)[None, :, :, None], axis=(1, 2)), axis=-1)


def frequency_power(*, exponent: float = 2.0) -> Objective:
    """The image's power by frequency, weighted by (f / Nyquist)^exponent; with exponent 0 its variance (Parseval).

    Args:
      exponent: 0 or more. 2 penalizes the energy of the gradient image; larger ones spare low frequencies more.

    Returns:
      The objective, to be subtracted; on the command line `frequency`.

    Raises:
      FeatvizError: for a negative exponent, which would penalize low frequencies most.

    >>> checks = jnp.asarray(np.indices((4, 4)).sum(0) % 2, jnp.float32).reshape(1, 4, 4, 1)
    >>> round(float(frequency_power(exponent=0.0)({IMAGE: checks})[0]), 6)
    0.25
    """
    if exponent < 0:
        raise FeatvizError(f"`exponent` is {exponent}; expected 0 or more, such as 2")
    return single(FrequencyPower(float(exponent)))


named("frequency")(frequency_power)


EXAMPLES: Examples = {
    "frequency": lambda layer, shape: PENALTIES["frequency"],
}
