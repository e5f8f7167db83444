"""Penalties on the picture itself: objectives of the image that the network sees, to be subtracted.

`recipe = replace(fv.recipes.default, penalty=-0.5 * total_variation())`, or as part of an objective:
`fv.channel("conv2", 3) - 0.5 * total_variation()`. All are means over pixels and channels, so that one weight serves
all sizes; lucid's are sums, so its weights are to be multiplied by height * width * channels.
"""

from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.errors import FeatvizError
from featviz.model import IMAGE, Activations
from featviz.objectives.base import STATIC, Scalar, Term
from featviz.objectives.objective import Examples, Objective, single
from featviz.regularizers.filters import gaussian_blur


class ImageTerm(Term):
    """A term of the image that the network sees, of any size."""

    @property
    def layers(self) -> tuple[str, ...]:
        return (IMAGE,)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TotalVariation(ImageTerm):
    """mean |x[i + 1, j] - x[i, j]| + mean |x[i, j + 1] - x[i, j]|."""

    @property
    def label(self) -> str:
        return "total variation"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        image = activations[IMAGE]
        return sum((jnp.mean(jnp.abs(jnp.diff(image, axis=axis)), axis=(1, 2, 3)) for axis in (1, 2)), jnp.float32(0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Distance(ImageTerm):
    """mean |x - center|^power."""

    center: Scalar
    power: int = field(metadata=STATIC)

    @property
    def label(self) -> str:
        return f"L{self.power}"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        away = activations[IMAGE] - jnp.asarray(self.center, jnp.float32)
        size = jnp.abs(away) if self.power == 1 else jnp.square(away)
        return jnp.mean(size, axis=(1, 2, 3))


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
        # The mean has frequency 0 and is no one's fault, whatever the exponent.
        weight = np.where(radius > 0, np.maximum(radius, 1e-9) ** self.exponent, 0) / (height * width) ** 2
        spectrum = jnp.fft.fft2(image, axes=(1, 2))
        power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
        return jnp.mean(jnp.sum(power * weight.astype(np.float32)[None, :, :, None], axis=(1, 2)), axis=-1)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class VariationNorm(ImageTerm):
    """sum over four directions of sqrt(mean (x[p + d] - x[p])^2), d = (0, 1), (1, 0), (1, 1), (1, -1)."""

    @property
    def label(self) -> str:
        return "variation norm"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        x = activations[IMAGE]
        pairs = (
            (x[:, :, 1:], x[:, :, :-1]),
            (x[:, 1:], x[:, :-1]),
            (x[:, 1:, 1:], x[:, :-1, :-1]),
            (x[:, 1:, :-1], x[:, :-1, 1:]),
        )
        # The square root's slope is infinite at 0.
        norms = [jnp.sqrt(jnp.mean(jnp.square(a - b), axis=(1, 2, 3)) + 1e-12) for a, b in pairs]
        return sum(norms[1:], start=norms[0])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlurDifference(ImageTerm):
    """mean (x - blur(x))^2 / 2, the blurred image held fixed."""

    sigma: Scalar

    @property
    def label(self) -> str:
        return "blur difference"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        image = activations[IMAGE]
        blurred = jax.lax.stop_gradient(gaussian_blur(image, jnp.asarray(self.sigma), radius=4))
        return 0.5 * jnp.mean(jnp.square(image - blurred), axis=(1, 2, 3))


def total_variation() -> Objective:
    """How much neighboring pixels differ, anisotropic (Rudin, Osher and Fatemi 1992; Mahendran and Vedaldi 2014).

    >>> from featviz.model import IMAGE
    >>> float(total_variation()({IMAGE: jnp.tile(jnp.arange(4.0)[:, None, None], (1, 1, 5, 1)).reshape(1, 4, 5, 1)})[0])
    1.0
    """
    return single(TotalVariation())


def l1(*, center: float = 0.5) -> Objective:
    """mean |x - center|: towards gray, most pixels just gray (lucid, optvis/objectives.py, L1).

    >>> from featviz.model import IMAGE
    >>> float(l1()({IMAGE: jnp.ones((1, 2, 2, 3))})[0])
    0.5
    """
    return single(Distance(np.float32(center), 1))


def l2(*, center: float = 0.5) -> Objective:
    """mean (x - center)^2: towards gray, large differences most (Simonyan et al. 2013).

    >>> from featviz.model import IMAGE
    >>> float(l2()({IMAGE: jnp.ones((1, 2, 2, 3))})[0])
    0.25
    """
    return single(Distance(np.float32(center), 2))


def frequency_power(*, exponent: float = 2.0) -> Objective:
    """The image's power by frequency, weighted by (f / Nyquist)^exponent; with exponent 0 its variance (Parseval).

    Exponent 2 is what a decay of the gradient energy asks for, larger ones spare the low frequencies more.

    Raises: FeatvizError for a negative exponent, with which low frequencies would be punished most.

    >>> from featviz.model import IMAGE
    >>> checks = jnp.asarray(np.indices((4, 4)).sum(0) % 2, jnp.float32).reshape(1, 4, 4, 1)
    >>> round(float(frequency_power(exponent=0.0)({IMAGE: checks})[0]), 6)
    0.25
    """
    if exponent < 0:
        raise FeatvizError(f"`exponent` is {exponent}; expected 0 or more, such as 2")
    return single(FrequencyPower(float(exponent)))


def variation_norm() -> Objective:
    """How much neighbors in four directions differ, root mean square (Yin et al. 2020; Ghiasi et al. 2022).

    The published penalty is the norm of all differences, not their root mean square: for n values its weight is to be
    multiplied by sqrt(n), 388 for 224 x 224 x 3.

    >>> from featviz.model import IMAGE
    >>> rows = jnp.tile(jnp.arange(4.0)[:, None, None], (1, 1, 5, 1)).reshape(1, 4, 5, 1)
    >>> round(float(variation_norm()({IMAGE: rows})[0]), 4)
    3.0
    """
    return single(VariationNorm())


def blur_difference(*, sigma: float = 1.0) -> Objective:
    """How far the image is from its own blurred self, which is held fixed (lucid, optvis/objectives.py).

    As a penalty each step pulls every pixel towards its neighbors.

    >>> from featviz.model import IMAGE
    >>> checks = jnp.asarray(np.indices((8, 8)).sum(0) % 2, jnp.float32).reshape(1, 8, 8, 1)
    >>> round(float(blur_difference()({IMAGE: checks})[0]), 3)
    0.123
    """
    return single(BlurDifference(np.float32(sigma)))


# What the command line calls them.
PENALTIES = {
    "tv": total_variation(),
    "variation": variation_norm(),
    "blur": blur_difference(),
    "frequency": frequency_power(),
    "l1": l1(),
    "l2": l2(),
}


def _penalty(name: str, layer: str, shape: tuple[int, ...]) -> Objective:
    return PENALTIES[name]


EXAMPLES: Examples = {name: partial(_penalty, name) for name in PENALTIES}
