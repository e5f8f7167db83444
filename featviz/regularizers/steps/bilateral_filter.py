"""A bilateral filter of the image after steps."""

from dataclasses import dataclass

import optax

from featviz.optimizers import Optimizer
from featviz.regularizers import filters
from featviz.regularizers.steps.base import Images, Progress, image_rule


@dataclass(frozen=True)
class BilateralFilter(Optimizer):
    """After a step, filters the image bilaterally: grain goes, edges stay (`filters.bilateral`).

    Args:
      sigma_spatial: the width in pixels.
      sigma_color: the width in color, in the image's range.
      every: filter in every so many steps, from the first on.
      radius: the farthest neighbors, in pixels.

    References:
      Tomasi and Manduchi 1998; Tyka 2016, for DeepDream.

    >>> import jax.numpy as jnp
    >>> rule = BilateralFilter(every=2)()
    >>> image = jnp.full((1, 8, 8, 3), 0.3)
    >>> updates, _ = rule.update(jnp.zeros_like(image), rule.init(image), image, progress=0.0)
    >>> bool(jnp.abs(updates).max() < 1e-6)
    True
    """

    sigma_spatial: float = 1.5
    sigma_color: float = 0.1
    every: int = 1
    radius: int = 2

    def __call__(self) -> optax.GradientTransformation:
        def change(image: Images, gradient: Images, progress: Progress) -> Images:
            return filters.bilateral(
                image, sigma_spatial=self.sigma_spatial, sigma_color=self.sigma_color, radius=self.radius
            )

        return image_rule("BilateralFilter", change, every=self.every)
