"""The image kept in its valid range."""

from dataclasses import dataclass

import jax.numpy as jnp
import optax

from featviz.optimizers import Optimizer
from featviz.regularizers.steps.base import image_rule


@dataclass(frozen=True)
class ClipRange(Optimizer):
    """After each step, clips the image to [low, high].

    Args:
      low: the smallest value.
      high: the largest.

    References:
      Mordvintsev et al. 2015, google/deepdream, dream.ipynb.

    >>> rule = ClipRange()()
    >>> image = jnp.full((1, 1, 1, 1), 0.9)
    >>> updates, _ = rule.update(jnp.full_like(image, 0.5), rule.init(image), image, progress=0.0)
    >>> float((image + updates)[0, 0, 0, 0])
    1.0
    """

    low: float = 0.0
    high: float = 1.0

    def __call__(self) -> optax.GradientTransformation:
        return image_rule("ClipRange", lambda image, gradient, progress: jnp.clip(image, self.low, self.high))
