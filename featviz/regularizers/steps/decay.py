"""Decay of the image towards a neutral color."""

from dataclasses import dataclass

import optax

from featviz.optimizers import Optimizer
from featviz.regularizers.steps.base import Images, Progress, center_pixel, image_rule

# ImageNet's mean color, of 0 to 1, RGB (torchvision's, the same as Caffe's 123, 117, 104 of 255 within .003).
IMAGENET_MEAN = (0.485, 0.456, 0.406)


@dataclass(frozen=True)
class Decay(Optimizer):
    """L2 decay, after each step: x = center + (1 - rate) * (x - center).

    Args:
      rate: the share of the distance that each step removes.
      center: the image decayed towards, one value or one a channel, such as `IMAGENET_MEAN`.

    References:
      Yosinski et al. 2015, theta_decay.

    >>> import jax.numpy as jnp
    >>> rule = Decay(0.5)()
    >>> image = jnp.full((1, 1, 1, 1), 0.9)
    >>> updates, _ = rule.update(jnp.zeros_like(image), rule.init(image), image, progress=0.0)
    >>> round(float((image + updates).sum()), 3)
    0.7
    """

    rate: float
    center: tuple[float, ...] = (0.5,)

    def __call__(self) -> optax.GradientTransformation:
        def change(image: Images, gradient: Images, progress: Progress) -> Images:
            center = center_pixel(self.center, image)
            return center + (1.0 - self.rate) * (image - center)

        return image_rule("Decay", change)
