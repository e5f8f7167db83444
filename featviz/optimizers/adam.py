"""Adam and Nadam, as optax has them."""

from dataclasses import dataclass

import optax

from featviz.optimizers.base import Optimizer


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam, as `optax.adam`: -learning_rate * m / (sqrt(v) + eps), with bias-corrected moments m and v.

    Args:
      learning_rate: the size of a step of each parameter.
      b1: the decay of the mean of gradients.
      b2: the decay of the mean of their squares.
      eps: added to the denominator.

    References:
      Kingma and Ba 2014.

    >>> Adam(0.05)().init(0.0)[0].count.item()
    0
    """

    learning_rate: float = 0.05
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __call__(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov momentum, as `optax.nadam`.

    Args:
      learning_rate: the size of a step of each parameter.
      b1: the decay of the mean of gradients.
      b2: the decay of the mean of their squares.
      eps: added to the denominator.

    References:
      Dozat 2016.

    >>> Nadam(1.0)().init(0.0)[0].count.item()
    0
    """

    learning_rate: float = 1.0
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __call__(self) -> optax.GradientTransformation:
        return optax.nadam(self.learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)
