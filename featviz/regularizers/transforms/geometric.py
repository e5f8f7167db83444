"""Robustness: transforms that a picture must survive, drawn anew for each lane, view and step.

A transform maps (key, image, progress) to an image of a static shape; images are (h, w, c), values in [0,1] are
never clipped in between, progress runs from 0 to 1 over the optimization.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from featviz.parameterizations import Shape
from featviz.regularizers.transforms.resample import affine


class Transform(Protocol):
    """A random change of an image; `shape` says the output's height and width from the input's."""

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array: ...


@dataclass(frozen=True)
class Pad:
    """`width` pixels on each side, of gray `fill` or, with `fill` None, of the image mirrored.

    >>> Pad(2, fill=0.5)(jax.random.key(0), jnp.zeros((4, 4, 3)), 0.0).shape
    (8, 8, 3)
    """

    width: int
    fill: float | None = 0.5

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        pads = [(self.width, self.width), (self.width, self.width), (0, 0)]
        if self.fill is None:
            return jnp.pad(image, pads, mode="symmetric")
        return jnp.pad(image, pads, constant_values=self.fill)


@dataclass(frozen=True)
class Jitter:
    """A random crop to `pixels` less on each axis: a shift of plus or minus pixels / 2 (lucid's jitter).

    >>> Jitter(2)(jax.random.key(0), jnp.zeros((8, 8, 3)), 0.0).shape
    (6, 6, 3)
    """

    pixels: int

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        height, width, channels = image.shape
        at = jax.random.randint(key, (2,), 0, self.pixels + 1)
        size = (height - self.pixels, width - self.pixels, channels)
        return jax.lax.dynamic_slice(image, (at[0], at[1], jnp.zeros((), at.dtype)), size)


@dataclass(frozen=True)
class Roll:
    """A shift of up to `pixels` each way that wraps around (DeepDream's jitter)."""

    pixels: int

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        at = jax.random.randint(key, (2,), -self.pixels, self.pixels + 1)
        return jnp.roll(image, at, axis=(0, 1))


@dataclass(frozen=True)
class Affine:
    """A random scale, rotation and shift in one bilinear resampling; the image is mirrored beyond its edges.

    The scale is one of `scales` (above 1 magnifies), or uniform between the two where `uniform`; the angle,
    in degrees, likewise from `degrees`; the shift is uniform within plus or minus `shift` pixels on each axis.
    Scale and angle shrink linearly towards none, to `end` of what was drawn when the optimization ends: resampling
    blurs the finest detail, which a picture can so get back.

    >>> turn = Affine(scales=(1.0,), degrees=(180.0,))
    >>> turn(jax.random.key(0), jnp.arange(4.0).reshape(2, 2, 1), 0.0)[..., 0].round().tolist()
    [[3.0, 2.0], [1.0, 0.0]]
    """

    scales: tuple[float, ...] = (1.0,)
    degrees: tuple[float, ...] = (0.0,)
    shift: float = 0.0
    uniform: bool = False
    end: float = 1.0

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        scale_key, angle_key, shift_key = jax.random.split(key, 3)
        left = 1.0 - (1.0 - self.end) * jnp.asarray(progress, jnp.float32)
        scale = 1.0 + left * (self._draw(scale_key, self.scales) - 1.0)
        angle = left * self._draw(angle_key, self.degrees) * np.float32(np.pi / 180)
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        matrix = jnp.stack([jnp.stack([cosine, -sine]), jnp.stack([sine, cosine])]) / scale
        shift = jax.random.uniform(shift_key, (2,), jnp.float32, -self.shift, self.shift)
        return affine(image, matrix, shift)

    def _draw(self, key: jax.Array, values: tuple[float, ...]) -> jax.Array:
        if self.uniform:
            return jax.random.uniform(key, (), jnp.float32, min(values), max(values))
        return jnp.asarray(values, jnp.float32)[jax.random.randint(key, (), 0, len(values))]


@dataclass(frozen=True)
class Crop:
    """The center of the image, `margin` pixels less on each side: undoes a padding."""

    margin: int

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        height, width = image.shape[:2]
        return image[self.margin : height - self.margin, self.margin : width - self.margin]


class Additive:
    """A transform that only adds noise, so that two images can be seen in one view each under noise of its own."""


@dataclass(frozen=True)
class Noise(Additive):
    """Normal noise of standard deviation `sd` at the start, falling linearly to `end_sd` at the end.

    >>> bool((Noise(0.0)(jax.random.key(0), jnp.ones((2, 2, 3)), jnp.float32(0.5)) == 1.0).all())
    True
    """

    sd: float
    end_sd: float | None = None

    def __call__(self, key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        end = self.sd if self.end_sd is None else self.end_sd
        sd = self.sd + (end - self.sd) * jnp.asarray(progress, image.dtype)
        return image + sd * jax.random.normal(key, image.shape, image.dtype)


def compose(transforms: Sequence[Transform], *, other_noise: bool = False) -> Transform:
    """The transforms one after the other, each with a key of its own.

    With `other_noise` they draw the same as without, but for the noise that they add.
    """

    def run(key: jax.Array, image: jax.Array, progress: jax.Array) -> jax.Array:
        for number, transform in enumerate(transforms):
            own = jax.random.fold_in(key, number)
            if other_noise and isinstance(transform, Additive):
                own = jax.random.fold_in(own, 1)
            image = transform(own, image, progress)
        return image

    return run


def view_shape(transforms: Sequence[Transform], shape: Shape) -> Shape:
    """The shape of views of images of `shape`, (n, height, width, channels); nothing is computed.

    >>> view_shape((Pad(2), Jitter(1)), (5, 8, 9, 3))
    (5, 11, 12, 3)
    """
    image = jax.ShapeDtypeStruct(shape[1:], np.float32)
    progress = jax.ShapeDtypeStruct((), np.float32)
    height, width, channels = jax.eval_shape(compose(transforms), jax.random.key(0), image, progress).shape
    return shape[0], height, width, channels
