"""A gradient in which small shapes weigh no more than large ones do in photographs."""

import jax.numpy as jnp
import numpy as np

from featviz.parameterizations.waves import frequencies, scale_waves
from featviz.priors.base import Images, unit

# Cycles a pixel up to which all waves stay as they are.
CORNER = 1 / 32


def soft_gradient(gradient: Images) -> Images:
    """A gradient of root mean square 1 whose waves of f cycles a pixel are min(1, 1 / (32 f)) as large.

    A network's gradient is as strong in its finest detail as in large shapes, photographs fall as 1 / f (Field 1987).

    Args:
      gradient: of an objective, by the images.

    >>> checks = jnp.tile(jnp.array([[0.5, -0.5], [-0.5, 0.5]]), (4, 4))[None, :, :, None]
    >>> soft_gradient(checks)[0, 0, :2, 0].round(3).tolist()  # of one frequency: only its size changes
    [1.0, -1.0]
    """
    shares = jnp.asarray(CORNER / np.maximum(frequencies(*gradient.shape[1:3]), CORNER), jnp.float32)
    return unit(scale_waves(unit(gradient), shares))
