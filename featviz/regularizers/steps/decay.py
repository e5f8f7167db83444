"""Decay: step rules that take away from an image what does little in it.

They work on what is optimized, so that must be an image of pixels, (n, height, width, channels). `center` is the
image that they decay towards, one value or one a channel: an image's neutral color, as the recipe's pixels have it.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from featviz.parameterizations.color import for_channels
from featviz.regularizers.steps.frequency import projection

# ImageNet's mean color, of 0 to 1, RGB (torchvision's, the same as Caffe's 123, 117, 104 of 255 within .003).
IMAGENET_MEAN = (0.485, 0.456, 0.406)


@dataclass(frozen=True)
class Decay:
    """After each step x = center + (1 - rate) * (x - center): L2 decay (Yosinski et al. 2015, theta_decay)."""

    rate: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(x: jax.Array, g: jax.Array, progress: jax.Array) -> jax.Array:
            middle = _at(self.center, x)
            return middle + (1.0 - self.rate) * (x - middle)

        return projection("Decay", change)


@dataclass(frozen=True)
class ClipSmallNorms:
    """Pixels nearer to the center than `percentile` percent of them go there (Yosinski et al. 2015, theta_n_pct)."""

    percentile: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(x: jax.Array, g: jax.Array, progress: jax.Array) -> jax.Array:
            middle = _at(self.center, x)
            size = jnp.sqrt(jnp.sum(jnp.square(x - middle), axis=-1, keepdims=True))
            return _clip_small(x, middle, size, self.percentile)

        return projection("ClipSmallNorms", change)


@dataclass(frozen=True)
class ClipSmallContributions:
    """Pixels that contribute less than `percentile` percent of them go to the center (Yosinski 2015, theta_c_pct).

    A pixel's contribution is |sum over channels of (x - center) * gradient|: what the objective would lose without it,
    to first order.
    """

    percentile: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(x: jax.Array, g: jax.Array, progress: jax.Array) -> jax.Array:
            middle = _at(self.center, x)
            size = jnp.abs(jnp.sum((x - middle) * g, axis=-1, keepdims=True))
            return _clip_small(x, middle, size, self.percentile)

        return projection("ClipSmallContributions", change)


@dataclass(frozen=True)
class ClipRange:
    """After each step the image within [low, high]: the valid range (Mordvintsev et al. 2015).

    >>> rule = ClipRange()()
    >>> image = jnp.full((1, 1, 1, 1), 0.9)
    >>> updates, _ = rule.update(jnp.full_like(image, 0.5), rule.init(image), image, progress=0.0)
    >>> float((image + updates)[0, 0, 0, 0])
    1.0
    """

    low: float = 0.0
    high: float = 1.0

    def __call__(self) -> optax.GradientTransformation:
        return projection("ClipRange", lambda x, g, progress: jnp.clip(x, self.low, self.high))


@dataclass(frozen=True)
class NormBall:
    """After each step each image within a ball: the root mean square of x - center is at most `norm` (Erhan 2009)."""

    norm: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(x: jax.Array, g: jax.Array, progress: jax.Array) -> jax.Array:
            middle = _at(self.center, x)
            size = jnp.sqrt(jnp.mean(jnp.square(x - middle), axis=(1, 2, 3), keepdims=True))
            return middle + (x - middle) * jnp.minimum(1.0, self.norm / jnp.maximum(size, 1e-12))

        return projection("NormBall", change)


def _at(center: tuple[float, ...], image: jax.Array) -> jax.Array:
    """The center as an image of one pixel, (1, 1, 1, channels or 1)."""
    return jnp.asarray(for_channels(center, image.shape[-1]).reshape(1, 1, 1, -1))


def _clip_small(x: jax.Array, middle: jax.Array, size: jax.Array, percentile: float) -> jax.Array:
    bar = jnp.percentile(size, percentile, axis=(1, 2, 3), keepdims=True)
    return jnp.where(size < bar, middle, x)
