"""Chains of rules, scaled by schedules, and any optax transformation under a name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import optax
from jaxtyping import Array, Float

from featviz.optimizers.base import Optimizer, Schedule


@dataclass(frozen=True)
class Chain(Optimizer):
    """Rules one after the other, as `optax.chain`: each gets the updates of the one before.

    Args:
      rules: optimizers and step rules, the first one first.

    >>> from featviz.optimizers import SGD, Normalize
    >>> rule = Chain((Normalize(), SGD(0.5)))()
    >>> rule.update(jax.numpy.array([1.0, -3.0]), rule.init(jax.numpy.zeros(2)))[0].tolist()
    [-0.25, 0.75]
    """

    rules: tuple[Optimizer, ...]

    def __call__(self) -> optax.GradientTransformation:
        return optax.chain(*(rule() for rule in self.rules))


@dataclass(frozen=True)
class ScaleBySchedule(Optimizer):
    """Updates times a schedule's value, as `optax.scale_by_schedule` but by progress in place of steps.

    Args:
      schedule: the factor over the optimization.

    >>> from featviz.optimizers import SGD, Cosine
    >>> rule = Chain((SGD(1.0), ScaleBySchedule(Cosine())))()
    >>> float(rule.update(-2.0, rule.init(0.0), progress=jax.numpy.float32(0.5))[0].round(3))
    1.0
    """

    schedule: Schedule

    def __call__(self) -> optax.GradientTransformation:
        def update(
            updates: Any, state: optax.EmptyState, params: Any = None, *, progress: Float[Array, ""], **_: Any
        ) -> tuple[Any, optax.EmptyState]:
            factor = self.schedule(progress)
            return jax.tree.map(lambda leaf: leaf * factor, updates), state

        return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


@dataclass(frozen=True)
class Custom(Optimizer):
    """Any optax transformation, under a name. Only the name is in a picture's provenance: no command remakes it.

    Args:
      name: what distinguishes it from other transformations.
      build: takes no argument and returns the transformation.

    >>> half = Custom("sgd .5", lambda: optax.sgd(0.5))
    >>> float(half().update(2.0, half().init(0.0))[0])
    -1.0
    """

    name: str
    build: Callable[[], optax.GradientTransformation] = field(metadata={"canonical": False})

    def __call__(self) -> optax.GradientTransformation:
        return self.build()
