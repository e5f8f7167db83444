"""Objectives of a sparse autoencoder's latents: the encoder's pre-activation, and whether the latent survives."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Objective, Shapes, single


@partial(jax.tree_util.register_dataclass, data_fields=["weight", "bias", "center", "number"], meta_fields=["layer"])
@dataclass(frozen=True)
class Latent:
    """mean over positions of dot(h - center, w) + bias."""

    layer: str
    weight: Any
    bias: Any
    center: Any
    number: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:latent {int(self.number)}"

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        axes = tuple(range(h.ndim - 1))
        weight, center = (jnp.expand_dims(jnp.asarray(v, jnp.float32), axes) for v in (self.weight, self.center))
        before = jnp.sum((h - center) * weight, axis=-1) + jnp.asarray(self.bias, jnp.float32)
        return jnp.mean(before, axis=tuple(range(1, before.ndim)))

    def check(self, shapes: Shapes) -> None:
        units = shapes[self.layer][-1]
        if np.shape(self.weight) != (units,):
            raise FeatvizError(f"`encoder` takes {np.shape(self.weight)[0]} units; {self.layer} has {units}")


def latent(layer: str, encoder: Any, number: int, *, bias: Any = None, center: Any = None) -> Objective:
    """A sparse autoencoder's latent: mean over positions of dot(h - center, W[:, number]) + bias[number].

    `encoder` is W, (units, latents); `bias`, (latents,), and `center`, (units,), the decoder's bias where the
    autoencoder subtracts it, are 0 by default. It is the encoder's pre-activation that is maximized: the dot product
    with the decoder's row is not the latent, and behind a TopK or a threshold most images have no gradient (Bricken
    et al. 2023; Gao et al. 2024). `latent_survives` says whether a picture's latent passes these.

    >>> encoder, bias = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.0, -1.0])
    >>> float(latent("fc", encoder, 1, bias=bias)({"fc": jnp.ones((1, 2))})[0])
    1.0

    Raises: FeatvizError if the shapes do not go together, or `number` is out of range.
    """
    encoder, bias, center = _autoencoder(encoder, bias, center)
    number = int(as_int("number", number))
    if not 0 <= number < encoder.shape[1]:
        raise FeatvizError(f"`number` is {number}; `encoder` has {encoder.shape[1]} latents")
    return single(Latent(layer, encoder[:, number].copy(), bias[number], center, np.int32(number)))


def latent_survives(
    activations: Any,
    encoder: Any,
    number: int,
    *,
    bias: Any = None,
    center: Any = None,
    k: int | None = None,
    threshold: float = 0.0,
) -> float:
    """The share of positions, from 0 to 1, at which a latent is among the `k` largest and above `threshold`.

    `activations`, (positions..., units), are a layer's for one image, as `fv.observe` gives them.

    >>> h = np.array([[1.0, 3.0], [3.0, 1.0]])
    >>> latent_survives(h, np.eye(2), 0, k=1), latent_survives(h, np.eye(2), 0, threshold=0.5)
    (0.5, 1.0)

    Raises: FeatvizError as `latent` does, and for a `k` below 1.
    """
    encoder, bias, center = _autoencoder(encoder, bias, center)
    if k is not None and k < 1:
        raise FeatvizError(f"`k` is {k}; expected 1 or more, or None for a threshold alone")
    before = (np.asarray(activations, np.float32) - center) @ encoder + bias
    own = before[..., number]
    passed = own > threshold
    if k is not None:
        passed &= np.sum(before > own[..., None], axis=-1) < k
    return float(np.mean(passed))


def _autoencoder(encoder: Any, bias: Any, center: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    encoder = np.asarray(encoder, np.float32)
    if encoder.ndim != 2:
        raise FeatvizError(f"`encoder` has shape {encoder.shape}; expected (units, latents)")
    units, latents = encoder.shape
    bias = np.zeros(latents, np.float32) if bias is None else np.asarray(bias, np.float32)
    center = np.zeros(units, np.float32) if center is None else np.asarray(center, np.float32)
    for name, found, expected in (("bias", bias.shape, (latents,)), ("center", center.shape, (units,))):
        if found != expected:
            raise FeatvizError(f"`{name}` has shape {found}; `encoder` has {encoder.shape}, expected {expected}")
    return encoder, bias, center
