"""A random scale, rotation and translation in one resampling."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.regularizers.transforms.base import Transform
from featviz.regularizers.transforms.resample import affine


@dataclass(frozen=True)
class RandomAffine(Transform):
    """A random scale, rotation and translation about the center, by one bilinear resampling.

    out(p) = image(R(angle) (p - c) / scale + c + t), the image mirrored beyond its edges. The scale and the angle
    fade linearly towards none, to `end_strength` times what was drawn when the optimization ends: resampling blurs
    the finest detail, and a picture can so get it back.

    Args:
      scales: the scale is one of these, each as likely; above 1 magnifies.
      degrees: the angle, clockwise, likewise.
      translation: the translation is U(-translation, translation) pixels on each axis.
      uniform: draw scale and angle uniformly between the smallest and the largest of the values given.
      end_strength: the share of scale and angle that remains at the end; 1 does not fade.

    References:
      lucid, optvis/transform.py, `random_scale` and `random_rotate`; the fading is ours.

    >>> turn = RandomAffine(scales=(1.0,), degrees=(180.0,))
    >>> turn(jax.random.key(0), jnp.arange(4.0).reshape(2, 2, 1), 0.0)[..., 0].round().tolist()
    [[3.0, 2.0], [1.0, 0.0]]
    >>> strong = RandomAffine(scales=(0.9, 1.1), degrees=(-10.0, 10.0), translation=2.0, uniform=True)
    >>> lucid = RandomAffine(scales=(0.9, 1.0, 1.1), degrees=(-10.0, 0.0, 10.0))
    """

    scales: tuple[float, ...] = (1.0,)
    degrees: tuple[float, ...] = (0.0,)
    translation: float = 0.0
    uniform: bool = False
    end_strength: float = 1.0

    def __call__(
        self, key: PRNGKeyArray, image: Float[Array, "h w c"], progress: Float[Array, ""]
    ) -> Float[Array, "h w c"]:
        scale_key, angle_key, translation_key = jax.random.split(key, 3)
        strength = 1.0 - (1.0 - self.end_strength) * jnp.asarray(progress, jnp.float32)
        scale = 1.0 + strength * (self._draw(scale_key, self.scales) - 1.0)
        angle = strength * self._draw(angle_key, self.degrees) * np.float32(np.pi / 180)
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        matrix = jnp.stack([jnp.stack([cosine, -sine]), jnp.stack([sine, cosine])]) / scale
        shift = jax.random.uniform(translation_key, (2,), jnp.float32, -self.translation, self.translation)
        return affine(image, matrix, shift)

    def _draw(self, key: PRNGKeyArray, values: tuple[float, ...]) -> Float[Array, ""]:
        if self.uniform:
            return jax.random.uniform(key, (), jnp.float32, min(values), max(values))
        return jnp.asarray(values, jnp.float32)[jax.random.randint(key, (), 0, len(values))]
