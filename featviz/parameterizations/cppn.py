"""A compositional pattern-producing network: a small network from a pixel's position to its color."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.errors import FeatvizError
from featviz.parameterizations.base import Parameterization, Shape

Layers: TypeAlias = tuple[tuple[Float[Array, "n i o"], Float[Array, "n o"]], ...]


@dataclass(frozen=True)
class CPPN(Parameterization):
    """A compositional pattern-producing network, smooth at any size.

    Positions within +-sqrt(3) on both axes go through hidden layers with the activation
    concat(atan(x) / .67, atan(x)^2 / .6), and a last layer, 0 at the start, with a sigmoid. Weights are from
    N(0, 1 / fan in), biases 0. Params: ((weights, biases), ...), with a leading axis of the group's images.

    Args:
      depth: the number of hidden layers.
      width: their channels, before the activation doubles them.

    References:
      Stanley 2007; Mordvintsev et al. 2018; lucid, optvis/param/cppn.py.

    >>> cppn = CPPN(depth=3, width=6)
    >>> cppn.to_image(cppn.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3))[0, 0, 0].tolist()
    [0.5, 0.5, 0.5]
    """

    inverse_tolerance: ClassVar[float | None] = None
    depth: int = 8
    width: int = 24

    def init(self, key: PRNGKeyArray, shape: Shape) -> Layers:
        fans_in = [2, *([2 * self.width] * self.depth)]
        layers = []
        for layer_key, fan_in in zip(jax.random.split(key, self.depth), fans_in[:-1], strict=True):
            weights = jax.random.normal(layer_key, (shape[0], fan_in, self.width)) / np.float32(np.sqrt(fan_in))
            layers.append((weights, jnp.zeros((shape[0], self.width))))
        last = (jnp.zeros((shape[0], fans_in[-1], shape[3])), jnp.zeros((shape[0], shape[3])))
        return (*layers, last)

    def to_image(self, params: Layers, shape: Shape) -> Float[Array, "n h w c"]:
        n, height, width = shape[:3]
        limit = np.sqrt(3.0)
        rows, columns = (np.linspace(-limit, limit, side, dtype=np.float32) for side in (height, width))
        grid = np.stack(np.meshgrid(columns, rows), axis=-1)
        h = jnp.broadcast_to(jnp.asarray(grid).reshape(1, height * width, 2), (n, height * width, 2))
        *hidden, last = params
        for weights, biases in hidden:
            angle = jnp.arctan(h @ weights + biases[:, None])
            h = jnp.concatenate([angle / 0.67, jnp.square(angle) / 0.6], axis=-1)
        return jax.nn.sigmoid(h @ last[0] + last[1][:, None]).reshape(n, height, width, shape[3])

    def from_image(self, image: Float[Array, "n h w c"]) -> Layers:
        raise FeatvizError("`start`: a CPPN cannot begin at an image, it has no inverse; expected Fourier or Pixels")
