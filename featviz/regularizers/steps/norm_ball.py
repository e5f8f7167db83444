"""The image kept within a ball of bounded norm."""

from dataclasses import dataclass

import jax.numpy as jnp
import optax

from featviz.optimizers import Optimizer
from featviz.regularizers.steps.base import Images, Progress, center_pixel, image_rule


@dataclass(frozen=True)
class NormBall(Optimizer):
    """After each step, projects each image onto the ball in which rms(x - center) is at most `norm`.

    Args:
      norm: the largest root mean square, in the image's range.
      center: the ball's center, one value or one a channel.

    References:
      Erhan et al. 2009, whose images have a fixed norm.

    >>> rule = NormBall(0.1)()
    >>> image = jnp.full((1, 2, 2, 1), 0.9)
    >>> updates, _ = rule.update(jnp.zeros_like(image), rule.init(image), image, progress=0.0)
    >>> round(float((image + updates).mean()), 3)
    0.6
    """

    norm: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(image: Images, gradient: Images, progress: Progress) -> Images:
            center = center_pixel(self.center, image)
            size = jnp.sqrt(jnp.mean(jnp.square(image - center), axis=(1, 2, 3), keepdims=True))
            return center + (image - center) * jnp.minimum(1.0, self.norm / jnp.maximum(size, 1e-12))

        return image_rule("NormBall", change)
