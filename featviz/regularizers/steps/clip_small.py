"""Sparsity: pixels that do little are set to the center."""

from dataclasses import dataclass

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from featviz.optimizers import Optimizer
from featviz.regularizers.steps.base import Images, Progress, center_pixel, image_rule


@dataclass(frozen=True)
class ClipSmallNorms(Optimizer):
    """After each step, sets pixels of small norm to the center: |x - center|_2 over channels below a percentile.

    Args:
      percentile: the share of pixels, in percent, that is set; over each image.
      center: one value or one a channel.

    References:
      Yosinski et al. 2015, theta_n_pct.

    >>> rule = ClipSmallNorms(50.0)()
    >>> image = jnp.array([0.6, 0.9]).reshape(1, 1, 2, 1)
    >>> updates, _ = rule.update(jnp.zeros_like(image), rule.init(image), image, progress=0.0)
    >>> [round(float(value), 2) for value in (image + updates)[0, 0, :, 0]]
    [0.5, 0.9]
    """

    percentile: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(image: Images, gradient: Images, progress: Progress) -> Images:
            center = center_pixel(self.center, image)
            norm = jnp.sqrt(jnp.sum(jnp.square(image - center), axis=-1, keepdims=True))
            return _clip_small(image, center, norm, self.percentile)

        return image_rule("ClipSmallNorms", change)


@dataclass(frozen=True)
class ClipSmallContributions(Optimizer):
    """After each step, sets pixels of small contribution to the center.

    A pixel's contribution is |sum over channels of (x - center) * gradient|: what the objective would lose without it,
    to first order.

    Args:
      percentile: the share of pixels, in percent, that is set; over each image.
      center: one value or one a channel.

    References:
      Yosinski et al. 2015, theta_c_pct.

    >>> rule = ClipSmallContributions(50.0)()
    >>> image, gradient = jnp.array([0.6, 0.9]).reshape(1, 1, 2, 1), jnp.array([9.0, 0.1]).reshape(1, 1, 2, 1)
    >>> updates, _ = rule.update(jnp.zeros_like(image), rule.init(image), image, progress=0.0, gradient=gradient)
    >>> [round(float(value), 2) for value in (image + updates)[0, 0, :, 0]]
    [0.6, 0.5]
    """

    percentile: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(image: Images, gradient: Images, progress: Progress) -> Images:
            center = center_pixel(self.center, image)
            contribution = jnp.abs(jnp.sum((image - center) * gradient, axis=-1, keepdims=True))
            return _clip_small(image, center, contribution, self.percentile)

        return image_rule("ClipSmallContributions", change)


def _clip_small(
    image: Images, center: Float[Array, "1 1 1 c"], size: Float[Array, "n h w 1"], percentile: float
) -> Images:
    threshold = jnp.percentile(size, percentile, axis=(1, 2, 3), keepdims=True)
    return jnp.where(size < threshold, center, image)
