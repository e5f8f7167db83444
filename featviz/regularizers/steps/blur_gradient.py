"""Blur of the gradient."""

from dataclasses import dataclass

import optax

from featviz.optimizers import Optimizer, Schedule
from featviz.regularizers.filters import scheduled_blur
from featviz.regularizers.steps.base import gradient_rule


@dataclass(frozen=True)
class BlurGradient(Optimizer):
    """Blurs the gradient by a Gaussian: large shapes come first where its width falls.

    Args:
      sigma: the width in pixels over the optimization.


    >>> import jax.numpy as jnp
    >>> from featviz.optimizers import Linear
    >>> rule = BlurGradient(Linear(4.0, 0.5))()
    >>> g = jnp.zeros((1, 8, 8, 3)).at[0, 4, 4].set(1.0)
    >>> [round(float(rule.update(g, rule.init(g), g, progress=t)[0].max()), 2) for t in (0.0, 1.0)]
    [0.02, 0.62]
    """

    sigma: Schedule

    def __call__(self) -> optax.GradientTransformation:
        return gradient_rule("BlurGradient", lambda g, progress: scheduled_blur(g, self.sigma, progress))
