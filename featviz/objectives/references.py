"""Objectives that compare a layer's activations with those of another image, as `fv.observe` gives them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Objective, Shapes, single
from featviz.objectives.directions import TensorDirection


def _check_like(layer: str, features: Any, shape: tuple[int, ...], *, same_size: bool) -> None:
    found = np.shape(features)
    fits = found == shape if same_size else (len(found) >= 1 and found[-1] == shape[-1])
    if not fits:
        expected = f"expected {shape}" if same_size else f"expected {shape[-1]} units"
        raise FeatvizError(f"`features` has shape {found}; {layer} is {shape} at this picture size, {expected}")


def _gram(h: jax.Array) -> jax.Array:
    """(n, positions..., c) -> (n, c, c): sum over positions of h_i h_j, over their number."""
    flat = h.reshape(h.shape[0], -1, h.shape[-1])
    return jnp.einsum("npi,npj->nij", flat, flat) / flat.shape[1]


@partial(jax.tree_util.register_dataclass, data_fields=["features"], meta_fields=["layer"])
@dataclass(frozen=True)
class GuidedDream:
    """mean over positions p of max_q dot(h_p, g_q)."""

    layer: str
    features: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:guided"

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        flat = h.reshape(h.shape[0], -1, h.shape[-1])
        guide = jnp.asarray(self.features, jnp.float32).reshape(-1, h.shape[-1])
        return jnp.mean(jnp.max(jnp.einsum("npc,qc->npq", flat, guide), axis=-1), axis=-1)

    def check(self, shapes: Shapes) -> None:
        _check_like(self.layer, self.features, shapes[self.layer], same_size=False)


@partial(jax.tree_util.register_dataclass, data_fields=["tensor"], meta_fields=["layer", "power"])
@dataclass(frozen=True)
class Caricature:
    """A tensor direction that another image gives, of the same size."""

    layer: str
    tensor: Any
    power: float

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:caricature" + (f"^{self.power:g}" if self.power else "")

    def value(self, activations: Activations) -> jax.Array:
        return TensorDirection(self.layer, self.tensor, self.power).value(activations)

    def check(self, shapes: Shapes) -> None:
        _check_like(self.layer, self.tensor, shapes[self.layer], same_size=True)


@partial(jax.tree_util.register_dataclass, data_fields=["features"], meta_fields=["layer"])
@dataclass(frozen=True)
class Inversion:
    """-|H - A|^2 / |A|^2."""

    layer: str
    features: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:inversion"

    def value(self, activations: Activations) -> jax.Array:
        h, a = activations[self.layer], jnp.asarray(self.features, jnp.float32)
        far = jnp.sum(jnp.square(h - a[None]), axis=tuple(range(1, h.ndim)))
        return -far / (jnp.sum(jnp.square(a)) + 1e-12)

    def check(self, shapes: Shapes) -> None:
        _check_like(self.layer, self.features, shapes[self.layer], same_size=True)


@partial(jax.tree_util.register_dataclass, data_fields=["features"], meta_fields=["layer"])
@dataclass(frozen=True)
class Style:
    """-|G(H) - G(A)|^2 / |G(A)|^2, G the Gram matrix of units over positions."""

    layer: str
    features: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:style"

    def value(self, activations: Activations) -> jax.Array:
        found, wanted = _gram(activations[self.layer]), _gram(jnp.asarray(self.features, jnp.float32)[None])
        return -jnp.sum(jnp.square(found - wanted), axis=(1, 2)) / (jnp.sum(jnp.square(wanted)) + 1e-12)

    def check(self, shapes: Shapes) -> None:
        _check_like(self.layer, self.features, shapes[self.layer], same_size=False)


def guided_dream(layer: str, features: Any) -> Objective:
    """DeepDream guided by another image: mean over positions p of max_q dot(h_p, g_q).

    `features`, (..., units), are the guide's activations g, of any size. The gradient at each position is the guide's
    feature with the largest dot product (Mordvintsev et al. 2015).

    >>> guide = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> float(guided_dream("fc", guide)({"fc": jnp.array([[3.0, 2.0]])})[0])
    4.0
    """
    return single(GuidedDream(layer, np.asarray(features, np.float32)))


def caricature(layer: str, features: Any, *, power: float = 1.0) -> Objective:
    """What a layer makes of an image, exaggerated: dot(H, A) / positions * max(.1, cosine(H, A))^power.

    `features` are the image's activations A, of the picture's own size. (lucid's `dot_compare`; Olah 2018.)

    >>> float(caricature("fc", np.array([1.0, 0.0]), power=0.0)({"fc": jnp.array([[3.0, 2.0]])})[0])
    3.0
    """
    return single(Caricature(layer, np.asarray(features, np.float32), float(power)))


def inversion(layer: str, features: Any) -> Objective:
    """Feature inversion: -|H - A|^2 / |A|^2, 0 where the layer sees the very same (Mahendran and Vedaldi 2014).

    `features` are the image's activations A, of the picture's own size. To be used with a penalty such as
    `- 0.1 * total_variation()`: many images have the same features.

    >>> float(inversion("fc", np.array([1.0, 1.0]))({"fc": jnp.array([[1.0, 2.0]])})[0])
    -0.5
    """
    return single(Inversion(layer, np.asarray(features, np.float32)))


def style(layer: str, features: Any) -> Objective:
    """The texture of another image: -|G(H) - G(A)|^2 / |G(A)|^2, G = sum over positions of h_i h_j / positions.

    `features` are the image's activations A, (positions..., units), of any size (Gatys, Ecker and Bethge 2015).

    >>> float(style("fc", np.array([[1.0, 0.0]]))({"fc": jnp.array([[2.0, 0.0]])})[0])
    -9.0
    """
    features = np.asarray(features, np.float32)
    return single(Style(layer, features))
