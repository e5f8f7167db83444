"""Plain gradient steps, and steps whose predicted gain is fixed."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from featviz.optimizers.base import Optimizer, stateless


@dataclass(frozen=True)
class SGD(Optimizer):
    """Plain steps along the gradient, -learning_rate * g, as `optax.sgd`.

    Args:
      learning_rate: the factor.
      momentum: the decay of the accumulated gradient; None for none.

    >>> float(SGD(0.5)().update(2.0, SGD(0.5)().init(0.0))[0])
    -1.0
    """

    learning_rate: float
    momentum: float | None = None

    def __call__(self) -> optax.GradientTransformation:
        return optax.sgd(self.learning_rate, momentum=self.momentum)


@dataclass(frozen=True)
class ProgressSGD(Optimizer):
    """Steps with the same predicted gain each: -min(max_learning_rate, gain / |g|^2) * g.

    To first order a step along g with rate r raises the objective by r |g|^2.

    Args:
      gain: the predicted rise of the objective in each step.
      max_learning_rate: the largest rate, which small gradients get.

    References:
      Yosinski et al. 2015, deep-visualization-toolbox, `lr_policy` "progress".

    >>> rule = ProgressSGD(2.0, max_learning_rate=100.0)()
    >>> rule.update(jnp.array([-3.0, -4.0]), rule.init(jnp.zeros(2)))[0].round(2)
    Array([0.24, 0.32], dtype=float32)
    """

    gain: float
    max_learning_rate: float

    def __call__(self) -> optax.GradientTransformation:
        def rate(squared_norm: Float[Array, ""]) -> Float[Array, ""]:
            # Where the gradient is zero nothing moves, whatever the rate.
            return jnp.minimum(self.max_learning_rate, self.gain / jnp.maximum(squared_norm, 1e-30))

        return stateless(lambda g: jax.tree.map(lambda leaf: -rate(_squared_norm(g)) * leaf, g))


def _squared_norm(tree: Any) -> Float[Array, ""]:
    return jnp.sum(jnp.stack([jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)]))
