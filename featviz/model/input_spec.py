"""How a network expects its images, the one place where its range lives."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.errors import FeatvizError


@dataclass(frozen=True)
class InputSpec:
    """How a network expects its images: (image * scale - mean) / std, channels possibly reversed.

    `size` is (height, width) at training, or one number for both; `mean` and `std` are in the network's own range and
    channel order, one a channel or one for all. With `channels_first` the network takes (n, c, h, w), as PyTorch's do.
    A network of patches takes only sides that are multiples of one number, `multiple`: other images are resized to the
    nearest, bilinear.

    >>> spec = InputSpec(size=(224, 224), scale=255.0, mean=(104.0, 117.0, 123.0), bgr=True)
    >>> spec.encode(jnp.ones((1, 2, 2, 3)))[0, 0, 0].tolist()
    [151.0, 138.0, 132.0]
    >>> InputSpec(size=(224, 224), multiple=16).encode(jnp.ones((1, 100, 7, 3))).shape
    (1, 96, 16, 3)
    >>> InputSpec(size=28, channels=1, channels_first=True).encode(jnp.ones((1, 28, 28, 1))).shape
    (1, 1, 28, 28)

    Raises: FeatvizError for a value without sense.
    """

    size: tuple[int, int]
    channels: int = 3
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False
    multiple: int = 1
    channels_first: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _sides(self.size))
        if not _is_whole(self.channels):
            raise FeatvizError(f"`channels` is {self.channels!r}; expected a whole number of 1 or more, such as 3")
        for name in ("mean", "std"):
            values = _numbers(name, getattr(self, name))
            if len(values) not in (1, self.channels):
                raise FeatvizError(f"`{name}` has {len(values)} values; expected 1 or {self.channels}, one a channel")
            object.__setattr__(self, name, values)
        if not _is_whole(self.multiple) or any(side % self.multiple for side in self.size):
            raise FeatvizError(f"`multiple` is {self.multiple}; expected a divisor of the sides {self.size}")

    def encode(self, images: jax.Array) -> jax.Array:
        """Images in [0,1], (n, h, w, c) -> what the network expects, of the same size or the nearest that it takes."""
        if images.shape[-1] != self.channels:
            raise FeatvizError(f"`images` have {images.shape[-1]} channels; expected {self.channels}")
        sides = [max(1, round(side / self.multiple)) * self.multiple for side in images.shape[1:3]]
        if sides != list(images.shape[1:3]):
            shape = (images.shape[0], *sides, images.shape[3])
            images = jax.image.resize(images, shape, "bilinear").astype(images.dtype)
        if self.bgr:
            images = images[..., ::-1]
        encoded = (images * self.scale - self._row(self.mean, images)) / self._row(self.std, images)
        return jnp.moveaxis(encoded, -1, 1) if self.channels_first else encoded

    def _row(self, values: tuple[float, ...], like: jax.Array) -> jax.Array:
        row = jnp.broadcast_to(jnp.asarray(values, like.dtype), (self.channels,))
        return row.reshape((1,) * (like.ndim - 1) + (self.channels,))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def _sides(size: Any) -> tuple[int, int]:
    """The height and width of one number or two."""
    sides = tuple(size) if isinstance(size, tuple | list | np.ndarray) else (size, size)
    if len(sides) != 2 or not all(map(_is_whole, sides)):
        raise FeatvizError(f"`size` is {size!r}; expected pixels a side, such as 224, or (height, width)")
    return int(sides[0]), int(sides[1])


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    """One number, or one a channel."""
    row = tuple(values) if isinstance(values, tuple | list | np.ndarray) else (values,)
    if not all(isinstance(value, int | float | np.number) for value in row):
        raise FeatvizError(f"`{name}` is {values!r}; expected a number, or one a channel, such as (0.5, 0.5, 0.5)")
    return row
