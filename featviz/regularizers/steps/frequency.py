"""Frequency: step rules that hold back high frequencies, in the gradient or in the image after the step.

They work on what is optimized, so that must be an image of pixels, (n, height, width, channels).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from featviz.errors import FeatvizError
from featviz.optimizers import Constant, Linear
from featviz.regularizers.filters import bilateral, gaussian_blur, normalize_laplacian


@dataclass(frozen=True)
class BlurGradient:
    """The gradient under a Gaussian of `sigma` pixels, which may follow a schedule: large shapes first.

    >>> rule = BlurGradient(Linear(4.0, 0.5))()
    >>> g = jnp.zeros((1, 8, 8, 3)).at[0, 4, 4].set(1.0)
    >>> [round(float(rule.update(g, rule.init(g), g, progress=at)[0].max()), 2) for at in (0.0, 1.0)]
    [0.02, 0.62]
    """

    sigma: Constant | Linear

    def __call__(self) -> optax.GradientTransformation:
        return gradient_rule("BlurGradient", lambda g, progress: _blur(g, self.sigma, progress))


@dataclass(frozen=True)
class BlurImage:
    """After each step, or every `every` steps from the first, the image under a Gaussian (Yosinski et al. 2015).

    `sigma`, in pixels, may follow a schedule (Oygard 2015). Mirrored edges; cut at 4 sigma, as scipy does.
    """

    sigma: Constant | Linear
    every: int = 1

    def __call__(self) -> optax.GradientTransformation:
        return projection("BlurImage", lambda x, g, progress: _blur(x, self.sigma, progress), every=self.every)


@dataclass(frozen=True)
class NormalizeLaplacian:
    """Each band of the gradient's Laplacian pyramid divided by its root mean square (TensorFlow's tutorial 2015).

    All frequencies then grow alike, and low ones, whose gradients are small, are not drowned. `levels` bands and the
    rest, each divided by max(its root mean square, `floor`), over each image.
    """

    levels: int = 4
    floor: float = 1e-10

    def __call__(self) -> optax.GradientTransformation:
        return gradient_rule("NormalizeLaplacian", lambda g, progress: normalize_laplacian(g, self.levels, self.floor))


@dataclass(frozen=True)
class Bilateral:
    """After every `every` steps the image under a bilateral filter: grain goes, edges stay (Tyka 2016).

    `space` in pixels, `value` in the image's range; neighbors up to `radius` pixels away.
    """

    space: float = 1.5
    value: float = 0.1
    every: int = 1
    radius: int = 2

    def __call__(self) -> optax.GradientTransformation:
        def change(x: jax.Array, g: jax.Array, progress: jax.Array) -> jax.Array:
            return bilateral(x, space=self.space, value=self.value, radius=self.radius)

        return projection("Bilateral", change, every=self.every)


def _blur(image: jax.Array, sigma: Constant | Linear, progress: jax.Array) -> jax.Array:
    largest = sigma.value if isinstance(sigma, Constant) else max(sigma.start, sigma.end)
    return gaussian_blur(image, sigma(jnp.asarray(progress, jnp.float32)), radius=max(1, int(4.0 * largest + 0.5)))


def gradient_rule(name: str, change: Callable[[jax.Array, jax.Array], jax.Array]) -> optax.GradientTransformation:
    """A rule that changes what it is handed: `change(updates, progress)`, of images."""

    def update(updates: Any, state: Any, params: Any = None, *, progress: Any, **_: Any) -> tuple[Any, Any]:
        check_pixels(name, updates)
        return change(updates, progress), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def projection(
    name: str, change: Callable[[jax.Array, jax.Array, jax.Array], jax.Array], *, every: int = 1
) -> optax.GradientTransformation:
    """A rule that changes the image that a step arrives at, every `every` steps: `change(image, gradient, progress)`.

    What it hands on is the way from the old image to the changed new one, so that it chains.
    """

    def init(params: Any) -> optax.ScaleByScheduleState:
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(
        updates: Any, state: Any, params: Any = None, *, progress: Any, gradient: Any = None, **_: Any
    ) -> tuple[Any, Any]:
        check_pixels(name, updates)
        arrived = params + updates
        changed = change(arrived, updates if gradient is None else gradient, progress)
        if every > 1:
            changed = jnp.where(state.count % every == 0, changed, arrived)
        return changed - params, optax.ScaleByScheduleState(state.count + 1)

    return optax.GradientTransformationExtraArgs(init, update)


def check_pixels(name: str, value: Any) -> None:
    """Raises FeatvizError unless `value` is one array of images, (n, height, width, channels)."""
    if not isinstance(value, jax.Array) or value.ndim != 4:
        shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(value)]
        raise FeatvizError(
            f"`optimizer` has {name}, which works on pixels, but what is optimized has shapes {shapes}; "
            "expected the parameterization Pixels or RawPixels"
        )
