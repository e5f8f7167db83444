"""Blur of the image after steps."""

from dataclasses import dataclass

import optax

from featviz.optimizers import Optimizer, Schedule
from featviz.regularizers.filters import scheduled_blur
from featviz.regularizers.steps.base import Images, Progress, image_rule


@dataclass(frozen=True)
class BlurImage(Optimizer):
    """After a step, blurs the image by a Gaussian; edges are mirrored.

    Args:
      sigma: the width in pixels over the optimization. The kernel is cut at 4 times the largest width, as in scipy.
      every: blur in every so many steps, from the first on.

    References:
      Yosinski et al. 2015, theta_b_width and theta_b_every; Øygard 2015, with a falling width.

    >>> import jax.numpy as jnp
    >>> from featviz.optimizers import Constant
    >>> rule = BlurImage(Constant(1.0), every=4)()
    >>> image = jnp.zeros((1, 8, 8, 3)).at[0, 4, 4].set(1.0)
    >>> updates, _ = rule.update(jnp.zeros_like(image), rule.init(image), image, progress=0.0)
    >>> round(float((image + updates).max()), 2)
    0.16
    """

    sigma: Schedule
    every: int = 1

    def __call__(self) -> optax.GradientTransformation:
        def change(image: Images, gradient: Images, progress: Progress) -> Images:
            return scheduled_blur(image, self.sigma, progress)

        return image_rule("BlurImage", change, every=self.every)
