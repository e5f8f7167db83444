"""Penalties on the differences of neighboring pixels."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.model import IMAGE, Activations
from featviz.objectives.objective import Examples, Objective, single
from featviz.regularizers.penalties.base import PENALTIES, ImageTerm, named


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
        # The square root's gradient is infinite at 0.
        norms = [jnp.sqrt(jnp.mean(jnp.square(a - b), axis=(1, 2, 3)) + 1e-12) for a, b in pairs]
        return sum(norms[1:], start=norms[0])


def total_variation() -> Objective:
    """Anisotropic total variation, mean |dx/di| + mean |dx/dj|: how much neighboring pixels differ.

    Returns:
      The objective, to be subtracted; on the command line `tv`.

    References:
      Rudin, Osher and Fatemi 1992; Mahendran and Vedaldi 2014.

    >>> float(total_variation()({IMAGE: jnp.tile(jnp.arange(4.0)[:, None, None], (1, 1, 5, 1)).reshape(1, 4, 5, 1)})[0])
    1.0
    """
    return single(TotalVariation())


def variation_norm() -> Objective:
    """The root mean square differences of neighbors in four directions, summed.

    The published penalty is the norm of all differences, not their root mean square: for n values its weight is to be
    multiplied by sqrt(n), 388 for 224 x 224 x 3.

    Returns:
      The objective, to be subtracted; on the command line `variation`.

    References:
      Yin et al. 2020; Ghiasi et al. 2022.

    >>> rows = jnp.tile(jnp.arange(4.0)[:, None, None], (1, 1, 5, 1)).reshape(1, 4, 5, 1)
    >>> round(float(variation_norm()({IMAGE: rows})[0]), 4)
    3.0
    """
    return single(VariationNorm())


named("tv")(total_variation)
named("variation")(variation_norm)


EXAMPLES: Examples = {
    "tv": lambda layer, shape: PENALTIES["tv"],
    "variation": lambda layer, shape: PENALTIES["variation"],
}
