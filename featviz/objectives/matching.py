"""Objectives that compare a layer with the activations of another image: guided dreams, inversion, style."""

from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import LayerTerm, Shapes, Values
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import position_rows


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GuidedDream(LayerTerm):
    """mean over positions p of max_q dot(h_p, g_q), g the features of the guide."""

    features: Float[Values, "*positions units"]

    @property
    def label(self) -> str:
        return f"{self.layer}:guided"

    @property
    def mean_over_positions(self) -> bool:
        return True

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        guide = jnp.asarray(self.features, jnp.float32).reshape(-1, h.shape[-1])
        return jnp.mean(jnp.max(jnp.einsum("npc,qc->npq", position_rows(h), guide), axis=-1), axis=-1)

    def check(self, shapes: Shapes) -> None:
        check_features(self.layer, self.features, shapes[self.layer], same_size=False)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Inversion(LayerTerm):
    """-|H - A|^2 / |A|^2, A the activations of the image."""

    features: Float[Values, "*positions units"]

    @property
    def label(self) -> str:
        return f"{self.layer}:inversion"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h, a = activations[self.layer], jnp.asarray(self.features, jnp.float32)
        distance = jnp.sum(jnp.square(h - a[None]), axis=tuple(range(1, h.ndim)))
        return -distance / (jnp.sum(jnp.square(a)) + 1e-12)

    def check(self, shapes: Shapes) -> None:
        check_features(self.layer, self.features, shapes[self.layer], same_size=True)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Style(LayerTerm):
    """-|G(H) - G(A)|^2 / |G(A)|^2, G the Gram matrix of units over positions, A the activations of the image."""

    features: Float[Values, "*positions units"]

    @property
    def label(self) -> str:
        return f"{self.layer}:style"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        gram, wanted = _gram(activations[self.layer]), _gram(jnp.asarray(self.features, jnp.float32)[None])
        return -jnp.sum(jnp.square(gram - wanted), axis=(1, 2)) / (jnp.sum(jnp.square(wanted)) + 1e-12)

    def check(self, shapes: Shapes) -> None:
        check_features(self.layer, self.features, shapes[self.layer], same_size=False)


def check_features(layer: str, features: Values, shape: tuple[int, ...], *, same_size: bool) -> None:
    """Raises FeatvizError unless the features have the layer's units, and with `same_size` its shape."""
    found = np.shape(features)
    fits = found == shape if same_size else (len(found) >= 1 and found[-1] == shape[-1])
    if not fits:
        expected = f"expected {shape}" if same_size else f"expected {shape[-1]} units"
        raise FeatvizError(f"`features` has shape {found}; {layer} is {shape} at this picture size, {expected}")


def _gram(h: Float[Array, "n ... c"]) -> Float[Array, "n c c"]:
    """The sum over positions of h_i h_j, over the number of positions."""
    rows = position_rows(h)
    return jnp.einsum("npi,npj->nij", rows, rows) / rows.shape[1]


def guided_dream(layer: str, features: ArrayLike) -> Objective:
    """DeepDream guided by another image: mean over positions p of max_q dot(h_p, g_q).

    The gradient at each position is the guide's feature with the largest dot product (Mordvintsev et al. 2015).

    Args:
      layer: the name of the layer.
      features: g, (..., units): the guide's activations as `fv.observe` gives them, for a guide of any size.

    Raises:
      FeatvizError: by `render`, for features that have another number of units than the layer.

    >>> guide = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> float(guided_dream("fc", guide)({"fc": jnp.array([[3.0, 2.0]])})[0])
    4.0
    """
    return single(GuidedDream(layer, np.asarray(features, np.float32)))


def inversion(layer: str, features: ArrayLike) -> Objective:
    """Feature inversion: -|H - A|^2 / |A|^2, 0 for an image of the same features (Mahendran and Vedaldi 2014).

    Many images have the same features: use it with a penalty, such as `- 0.1 * total_variation()`.

    Args:
      layer: the name of the layer.
      features: A, the image's activations as `fv.observe` gives them, for an image of the picture's own size.

    Raises:
      FeatvizError: by `render`, for features of another shape than the layer's.

    >>> float(inversion("fc", np.array([1.0, 1.0]))({"fc": jnp.array([[1.0, 2.0]])})[0])
    -0.5
    """
    return single(Inversion(layer, np.asarray(features, np.float32)))


def style(layer: str, features: ArrayLike) -> Objective:
    """The texture of another image: -|G(H) - G(A)|^2 / |G(A)|^2, G = sum over positions of h_i h_j / positions.

    Args:
      layer: the name of the layer.
      features: A, (*positions, units): the image's activations as `fv.observe` gives them, for an image of any size.

    Raises:
      FeatvizError: by `render`, for features that have another number of units than the layer.

    References:
      Gatys, Ecker and Bethge 2015.

    >>> float(style("fc", np.array([[1.0, 0.0]]))({"fc": jnp.array([[2.0, 0.0]])})[0])
    -9.0
    """
    return single(Style(layer, np.asarray(features, np.float32)))


def _ramp(shape: tuple[int, ...]) -> np.ndarray:
    return np.linspace(-1, 1, prod(shape)).reshape(shape)


EXAMPLES: Examples = {
    "guided dream": lambda layer, shape: guided_dream(layer, _ramp((11, shape[-1]))),
    "inversion": lambda layer, shape: inversion(layer, _ramp(shape)),
    "style": lambda layer, shape: style(layer, _ramp((11, shape[-1]))),
}
