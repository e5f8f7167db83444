"""A penalty on the difference from the blurred image."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.model import IMAGE, Activations
from featviz.objectives.base import Scalar
from featviz.objectives.objective import Examples, Objective, single
from featviz.regularizers.filters import gaussian_blur
from featviz.regularizers.penalties.base import PENALTIES, ImageTerm, named


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlurDifference(ImageTerm):
    """mean (x - blur(x))^2 / 2, no gradient through the blurred image."""

    sigma: Scalar

    @property
    def label(self) -> str:
        return "blur difference"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        image = activations[IMAGE]
        blurred = jax.lax.stop_gradient(gaussian_blur(image, jnp.asarray(self.sigma), radius=4))
        return 0.5 * jnp.mean(jnp.square(image - blurred), axis=(1, 2, 3))


def blur_difference(*, sigma: float = 1.0) -> Objective:
    """mean (x - blur(x))^2 / 2, without a gradient through blur(x): each step pulls a pixel towards its neighbors.

    Args:
      sigma: the blur's width in pixels.

    Returns:
      The objective, to be subtracted; on the command line `blur`.

    References:
      lucid, optvis/objectives.py, `blur_input_each_step`.

    >>> checks = jnp.asarray(np.indices((8, 8)).sum(0) % 2, jnp.float32).reshape(1, 8, 8, 1)
    >>> round(float(blur_difference()({IMAGE: checks})[0]), 3)
    0.123
    """
    return single(BlurDifference(np.float32(sigma)))


named("blur")(blur_difference)


EXAMPLES: Examples = {
    "blur": lambda layer, shape: PENALTIES["blur"],
}
