"""Gradients normalized over each image, before plain steps."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from featviz.optimizers.base import Optimizer, image_axes, stateless


@dataclass(frozen=True)
class Normalize(Optimizer):
    """g / (mean |g| + eps), over each image; with `order` 2, over its root mean square.

    Args:
      order: 1 divides by the mean size, 2 by the root mean square.
      eps: added to the denominator.

    References:
      Mordvintsev et al. 2015, google/deepdream, dream.ipynb.

    >>> rule = Normalize()()
    >>> rule.update(jnp.array([1.0, -3.0]), rule.init(jnp.zeros(2)))[0].tolist()
    [0.5, -1.5]
    >>> rule = Normalize(order=2)()
    >>> rule.update(jnp.array([3.0, -3.0]), rule.init(jnp.zeros(2)))[0].tolist()
    [1.0, -1.0]
    """

    order: int = 1
    eps: float = 0.0

    def __call__(self) -> optax.GradientTransformation:
        def normalize(g: jax.Array) -> jax.Array:
            axes = image_axes(g)
            if self.order == 1:
                size = jnp.mean(jnp.abs(g), axis=axes, keepdims=True)
            else:
                size = jnp.sqrt(jnp.mean(jnp.square(g), axis=axes, keepdims=True))
            # A gradient that is zero everywhere stays zero.
            return g / jnp.maximum(size + self.eps, 1e-30)

        return stateless(lambda g: jax.tree.map(normalize, g))


@dataclass(frozen=True)
class NormalizeStd(Optimizer):
    """g / (sd(g) + eps), with the standard deviation over each image.

    Args:
      eps: added to the denominator.

    References:
      TensorFlow's DeepDream tutorials, 2015 and 2020, with eps 1e-8.

    >>> rule = NormalizeStd()()
    >>> updates, _ = rule.update(jnp.array([1.0, -3.0]), rule.init(jnp.zeros(2)))
    >>> [round(float(value), 3) for value in updates]
    [0.5, -1.5]
    """

    eps: float = 1e-8

    def __call__(self) -> optax.GradientTransformation:
        def normalize(g: jax.Array) -> jax.Array:
            return g / (jnp.std(g, axis=image_axes(g), keepdims=True) + self.eps)

        return stateless(lambda g: jax.tree.map(normalize, g))
