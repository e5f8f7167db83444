"""A CPPN: a small network from a pixel's place to its color."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from featviz.errors import FeatvizError
from featviz.parameterizations.base import Shape

Layers = tuple[tuple[jax.Array, jax.Array], ...]


@dataclass(frozen=True)
class Cppn:
    """A compositional pattern-producing network: smooth at any size (Stanley 2007; Mordvintsev et al. 2018).

    Places within +-sqrt(3) on both axes go through `depth` layers of `width` channels with the activation
    concat(atan(x) / .67, atan(x)^2 / .6), and a last layer, 0 at the start, with a sigmoid. Weights are from
    N(0, 1 / fan in), biases 0 (lucid, optvis/param/cppn.py). Params: ((weights, biases), ...), each with a leading
    axis of the group's images. It has no inverse.

    >>> cppn = Cppn()
    >>> cppn.to_image(cppn.init(jax.random.key(0), (1, 8, 9, 3)), (1, 8, 9, 3))[0, 0, 0].tolist()
    [0.5, 0.5, 0.5]
    """

    depth: int = 8
    width: int = 24

    def init(self, key: jax.Array, shape: Shape) -> Layers:
        sizes = [2, *([2 * self.width] * self.depth)]
        layers = []
        for key_of, fan_in in zip(jax.random.split(key, self.depth), sizes[:-1], strict=True):
            weights = jax.random.normal(key_of, (shape[0], fan_in, self.width)) / np.float32(np.sqrt(fan_in))
            layers.append((weights, jnp.zeros((shape[0], self.width))))
        last = (jnp.zeros((shape[0], sizes[-1], shape[3])), jnp.zeros((shape[0], shape[3])))
        return (*layers, last)

    def to_image(self, params: Layers, shape: Shape) -> jax.Array:
        n, height, width = shape[:3]
        reach = np.sqrt(3.0)
        rows, columns = (np.linspace(-reach, reach, side, dtype=np.float32) for side in (height, width))
        grid = np.stack(np.meshgrid(columns, rows), axis=-1)
        h = jnp.broadcast_to(jnp.asarray(grid).reshape(1, height * width, 2), (n, height * width, 2))
        *hidden, last = params
        for weights, biases in hidden:
            bent = jnp.arctan(h @ weights + biases[:, None])
            h = jnp.concatenate([bent / 0.67, jnp.square(bent) / 0.6], axis=-1)
        return jax.nn.sigmoid(h @ last[0] + last[1][:, None]).reshape(n, height, width, shape[3])

    def from_image(self, image: jax.Array) -> Layers:
        raise FeatvizError("`start`: a CPPN cannot begin at an image, it has no inverse; expected Fourier or Pixels")
