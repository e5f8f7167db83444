"""Step rules and schedules by name: frozen dataclasses with canonical JSON that build optax transformations.

Every rule's update is told, as optax's extra arguments, `progress`, from 0 to 1 over the optimization, and
`gradient`, the one that descends minus the objective before any rule has changed it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax


class Optimizer(Protocol):
    """A hashable value; calling it builds the optax transformation that descends minus the objective."""

    def __call__(self) -> optax.GradientTransformation: ...


class Schedule(Protocol):
    """A number that changes with progress, from 0 to 1."""

    def __call__(self, progress: jax.Array) -> jax.Array: ...


@dataclass(frozen=True)
class Constant:
    """One value to the end."""

    value: float = 1.0

    def __call__(self, progress: jax.Array) -> jax.Array:
        return self.value * jnp.ones_like(progress)


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` along a line.

    >>> Linear(11.0, 6.0)(jnp.array([0.0, 0.5])).tolist()
    [11.0, 8.5]
    """

    start: float
    end: float

    def __call__(self, progress: jax.Array) -> jax.Array:
        return self.start + (self.end - self.start) * progress


@dataclass(frozen=True)
class Cosine:
    """From `start` to `end` along half a cosine: end + (start - end) * (1 + cos(pi progress)) / 2.

    Adam's steps have one size however small the gradient is, and what is left of them at the end is grain.

    >>> Cosine()(jnp.array([0.0, 0.5, 1.0])).round(3).tolist()
    [1.0, 0.5, 0.0]
    """

    start: float = 1.0
    end: float = 0.0

    def __call__(self, progress: jax.Array) -> jax.Array:
        return self.end + (self.start - self.end) * 0.5 * (1.0 + jnp.cos(np.float32(np.pi) * progress))


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2014), as `optax.adam`.

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
class Nadam:
    """Adam with Nesterov's momentum (Dozat 2016), as `optax.nadam`."""

    learning_rate: float = 1.0
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __call__(self) -> optax.GradientTransformation:
        return optax.nadam(self.learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


@dataclass(frozen=True)
class Sgd:
    """Plain steps along the gradient, as `optax.sgd`.

    >>> float(Sgd(0.5)().update(2.0, Sgd(0.5)().init(0.0))[0])
    -1.0
    """

    learning_rate: float
    momentum: float | None = None

    def __call__(self) -> optax.GradientTransformation:
        return optax.sgd(self.learning_rate, momentum=self.momentum)


@dataclass(frozen=True)
class ProgressSgd:
    """Steps that promise the same rise each: learning rate min(most, progress / |g|^2) (Yosinski et al. 2015).

    By the first-order prediction a step along g with rate r raises the objective by r |g|^2.

    >>> rule = ProgressSgd(2.0, most=100.0)()
    >>> rule.update(jnp.array([-3.0, -4.0]), rule.init(jnp.zeros(2)))[0].round(2)
    Array([0.24, 0.32], dtype=float32)
    """

    progress: float
    most: float

    def __call__(self) -> optax.GradientTransformation:
        def rate(norm_squared: jax.Array) -> jax.Array:
            # Where the gradient is zero nothing moves, whatever the rate.
            return jnp.minimum(self.most, self.progress / jnp.maximum(norm_squared, 1e-30))

        return _stateless(lambda g: jax.tree.map(lambda leaf: -rate(_total_square(g)) * leaf, g))


@dataclass(frozen=True)
class Normalize:
    """g / (mean |g| + eps), over each image (Mordvintsev et al. 2015); with `power` 2, over its root mean square.

    >>> rule = Normalize()()
    >>> rule.update(jnp.array([1.0, -3.0]), rule.init(jnp.zeros(2)))[0].tolist()
    [0.5, -1.5]
    """

    power: int = 1
    eps: float = 0.0

    def __call__(self) -> optax.GradientTransformation:
        def one(g: jax.Array) -> jax.Array:
            axes = image_axes(g)
            if self.power == 1:
                size = jnp.mean(jnp.abs(g), axis=axes, keepdims=True)
            else:
                size = jnp.sqrt(jnp.mean(jnp.square(g), axis=axes, keepdims=True))
            # A gradient that is zero everywhere stays so.
            return g / jnp.maximum(size + self.eps, 1e-30)

        return _stateless(lambda g: jax.tree.map(one, g))


@dataclass(frozen=True)
class NormalizeStd:
    """g / (standard deviation of g + eps), over each image (TensorFlow's DeepDream tutorials, eps 1e-8)."""

    eps: float = 1e-8

    def __call__(self) -> optax.GradientTransformation:
        def one(g: jax.Array) -> jax.Array:
            return g / (jnp.std(g, axis=image_axes(g), keepdims=True) + self.eps)

        return _stateless(lambda g: jax.tree.map(one, g))


@dataclass(frozen=True)
class Scale:
    """What comes before, times a schedule.

    >>> rule = Chain((Sgd(1.0), Scale(Cosine())))()
    >>> state = rule.init(0.0)
    >>> float(rule.update(-2.0, state, progress=jnp.float32(0.5))[0].round(3))
    1.0
    """

    schedule: Schedule

    def __call__(self) -> optax.GradientTransformation:
        def update(updates: Any, state: Any, params: Any = None, *, progress: jax.Array, **_: Any) -> tuple[Any, Any]:
            factor = self.schedule(progress)
            return jax.tree.map(lambda leaf: leaf * factor, updates), state

        return optax.GradientTransformationExtraArgs(_no_state, update)


@dataclass(frozen=True)
class Chain:
    """Rules one after the other: each takes what the one before hands on."""

    rules: tuple[Optimizer, ...]

    def __call__(self) -> optax.GradientTransformation:
        return optax.chain(*(rule() for rule in self.rules))


@dataclass(frozen=True)
class Custom:
    """Any optax transformation, under a name: its pictures say that no command remakes them.

    `build` takes no argument and returns the transformation.
    """

    name: str
    build: Callable[[], Any] = field(metadata={"canonical": False})

    def __call__(self) -> optax.GradientTransformation:
        return self.build()


def image_axes(leaf: jax.Array) -> tuple[int, ...]:
    """The axes of one image of a group: all but the first of (n, height, width, ...), else all.

    >>> image_axes(jnp.zeros((2, 4, 4, 3)))
    (1, 2, 3)
    """
    return tuple(range(1 if leaf.ndim >= 4 else 0, leaf.ndim))


def _total_square(tree: Any) -> jax.Array:
    return jnp.sum(jnp.stack([jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)]))


def _no_state(params: Any) -> optax.EmptyState:
    return optax.EmptyState()


def _stateless(change: Callable[[Any], Any]) -> optax.GradientTransformation:
    return optax.stateless(lambda updates, params: change(updates))
