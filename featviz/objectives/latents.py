"""A sparse autoencoder's latents: the encoder's pre-activation, and whether a picture's latent survives."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Index, LayerTerm, Scalar, Shapes, Values
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import position_mean


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Latent(LayerTerm):
    """mean over positions of dot(h - center, w) + bias.

    It is a pre-activation already, of an encoder that reads the layer as it is.
    """

    weight: Float[Values, " units"]
    bias: Scalar
    center: Float[Values, " units"]
    index: Index

    @property
    def label(self) -> str:
        return f"{self.layer}:latent {int(self.index)}"

    @property
    def mean_over_positions(self) -> bool:
        return True

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        axes = tuple(range(h.ndim - 1))
        weight, center = (jnp.expand_dims(jnp.asarray(v, jnp.float32), axes) for v in (self.weight, self.center))
        return position_mean(jnp.sum((h - center) * weight, axis=-1) + jnp.asarray(self.bias, jnp.float32))

    def check(self, shapes: Shapes) -> None:
        units = shapes[self.layer][-1]
        if np.shape(self.weight) != (units,):
            raise FeatvizError(f"`encoder` takes {np.shape(self.weight)[0]} units; {self.layer} has {units}")


def latent(
    layer: str, encoder: ArrayLike, index: int, *, bias: ArrayLike | None = None, center: ArrayLike | None = None
) -> Objective:
    """A sparse autoencoder's latent: mean over positions of dot(h - center, W[:, index]) + bias[index].

    The encoder's pre-activation is maximized: the dot product with the decoder's row is not the latent, and behind a
    TopK or a threshold most images have no gradient. `latent_survives` says whether a picture's latent passes these.

    Args:
      layer: the name of the layer that the autoencoder reads.
      encoder: W, (units, latents).
      index: the index of the latent, from 0.
      bias: (latents,); 0 by default.
      center: (units,), the decoder's bias if the autoencoder subtracts it from h; 0 by default.

    Raises:
      FeatvizError: for shapes that do not fit together, or an index that is out of range.

    References:
      Bricken et al. 2023; Gao et al. 2024.

    >>> encoder, bias = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.0, -1.0])
    >>> float(latent("fc", encoder, 1, bias=bias)({"fc": jnp.ones((1, 2))})[0])
    1.0
    """
    weights, biases, mean = _autoencoder(encoder, bias, center)
    column = int(as_int("index", index))
    if not 0 <= column < weights.shape[1]:
        raise FeatvizError(
            f"`index` is {column}; `encoder` has {weights.shape[1]} latents, 0 to {weights.shape[1] - 1}"
        )
    return single(Latent(layer, weights[:, column].copy(), biases[column], mean, np.int32(column)))


def latent_survives(
    activations: ArrayLike,
    encoder: ArrayLike,
    index: int,
    *,
    bias: ArrayLike | None = None,
    center: ArrayLike | None = None,
    k: int | None = None,
    threshold: float = 0.0,
) -> float:
    """The fraction of positions at which a latent is among the `k` largest and above `threshold`.

    Args:
      activations: (*positions, units), a layer's for one image as `fv.observe` gives them.
      encoder: W, (units, latents).
      index: the index of the latent, from 0.
      bias: (latents,); 0 by default.
      center: (units,), subtracted from the activations; 0 by default.
      k: how many latents a TopK keeps, from 1; None for a threshold alone.
      threshold: what a latent must exceed.

    Returns:
      A number from 0 to 1.

    Raises:
      FeatvizError: for shapes that do not fit together, or a `k` below 1.

    >>> h = np.array([[1.0, 3.0], [3.0, 1.0]])
    >>> latent_survives(h, np.eye(2), 0, k=1), latent_survives(h, np.eye(2), 0, threshold=0.5)
    (0.5, 1.0)
    """
    weights, biases, mean = _autoencoder(encoder, bias, center)
    if k is not None and k < 1:
        raise FeatvizError(f"`k` is {k}; expected 1 or more, or None for a threshold alone")
    latents = (np.asarray(activations, np.float32) - mean) @ weights + biases
    chosen = latents[..., index]
    passed = chosen > threshold
    if k is not None:
        passed &= np.sum(latents > chosen[..., None], axis=-1) < k
    return float(np.mean(passed))


def _autoencoder(
    encoder: ArrayLike, bias: ArrayLike | None, center: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An encoder's weights, bias and center as arrays that fit together."""
    weights = np.asarray(encoder, np.float32)
    if weights.ndim != 2:
        raise FeatvizError(f"`encoder` has shape {weights.shape}; expected (units, latents)")
    units, latents = weights.shape
    biases = np.zeros(latents, np.float32) if bias is None else np.asarray(bias, np.float32)
    mean = np.zeros(units, np.float32) if center is None else np.asarray(center, np.float32)
    for name, found, expected in (("bias", biases.shape, (latents,)), ("center", mean.shape, (units,))):
        if found != expected:
            raise FeatvizError(f"`{name}` has shape {found}; `encoder` has {weights.shape}, expected {expected}")
    return weights, biases, mean


EXAMPLES: Examples = {
    "latent": lambda layer, shape: latent(
        layer, np.linspace(-1, 1, 9 * shape[-1]).reshape(shape[-1], 9), 4, bias=np.ones(9), center=np.ones(shape[-1])
    )
}
