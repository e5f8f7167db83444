"""Gradients whose frequency bands are normalized."""

from dataclasses import dataclass

import optax

from featviz.optimizers import Optimizer
from featviz.regularizers import filters
from featviz.regularizers.steps.base import gradient_rule


@dataclass(frozen=True)
class NormalizeLaplacian(Optimizer):
    """Divides each band of the gradient's Laplacian pyramid by max(its root mean square, eps), over each image.

    All frequencies then grow alike; low ones, whose gradients are small, are not lost.

    Args:
      levels: the number of bands, besides the coarse rest, which is normalized as well.
      eps: the smallest divisor.

    References:
      Mordvintsev 2015, TensorFlow's DeepDream tutorial, `lap_normalize`.

    >>> import jax.numpy as jnp
    >>> rule = NormalizeLaplacian(2)()
    >>> g = jnp.tile(jnp.array([3.0, -3.0]), 8).reshape(1, 1, 16, 1)
    >>> rule.update(g, rule.init(g), g, progress=0.0)[0].shape
    (1, 1, 16, 1)
    """

    levels: int = 4
    eps: float = 1e-10

    def __call__(self) -> optax.GradientTransformation:
        return gradient_rule(
            "NormalizeLaplacian", lambda g, progress: filters.normalize_laplacian(g, self.levels, self.eps)
        )
