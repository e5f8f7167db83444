"""`InputSpec`: how a network takes its images. A network's range, mean, std and channel order live here alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.errors import FeatvizError

# The ranges that image networks are trained on, by name. `imagenet` is the mean and std of torchvision's
# documentation, for images in [0,1]; `caffe` the mean color of Caffe's ImageNet networks, BGR in 0..255;
# `symmetric`, [-1,1], is TensorFlow's.
RANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "unit": {"scale": 1.0, "mean": (0.0,), "std": (1.0,), "bgr": False},
        "symmetric": {"scale": 1.0, "mean": (0.5,), "std": (0.5,), "bgr": False},
        "bytes": {"scale": 255.0, "mean": (0.0,), "std": (1.0,), "bgr": False},
        "imagenet": {"scale": 1.0, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "bgr": False},
        "caffe": {"scale": 255.0, "mean": (104.0, 117.0, 123.0), "std": (1.0,), "bgr": True},
    }
)


@dataclass(frozen=True)
class InputSpec:
    """How a network takes its images: `(image * scale - mean) / std`, with the channels reversed or first.

    Attributes:
        size: (height, width) at training in pixels, or one number for both.
        channels: The number of channels, 3 for color and 1 for gray images; any other for images of several bands.
        scale: The largest value that the network expects, 1 or 255, for images in [0,1].
        mean: In the network's own range and channel order, one value per channel or one for all.
        std: Likewise.
        bgr: Whether the network takes blue, green, red.
        multiple: Height and width must be multiples of it, as networks of patches need; images of another size are
            resized to the nearest one, bilinear.
        channels_first: Whether the network takes (n, c, h, w), as PyTorch's networks do.
        rgb: Which bands pictures and pages show as red, green and blue where there are more than three, such as
            (3, 2, 1) of Sentinel-2; () for the first three. Nothing is computed from it.

    Raises:
        FeatvizError: If a value is invalid.

    >>> spec = InputSpec(size=(224, 224), scale=255.0, mean=(104.0, 117.0, 123.0), bgr=True)
    >>> spec.encode(jnp.ones((1, 2, 2, 3)))[0, 0, 0].tolist()
    [151.0, 138.0, 132.0]
    >>> InputSpec(size=(224, 224), multiple=16).encode(jnp.ones((1, 100, 7, 3))).shape
    (1, 96, 16, 3)
    >>> InputSpec(size=28, channels=1, channels_first=True).encode(jnp.ones((1, 28, 28, 1))).shape
    (1, 1, 28, 28)
    """

    size: tuple[int, int]
    channels: int = 3
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False
    multiple: int = 1
    channels_first: bool = False
    rgb: tuple[int, ...] = field(default=(), metadata={"canonical": False})

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _parse_size(self.size))
        if not _is_positive_int(self.channels):
            raise FeatvizError(f"`channels` is {self.channels!r}; expected a whole number of 1 or more, such as 3")
        for name in ("mean", "std"):
            values = _parse_values(name, getattr(self, name))
            if len(values) not in (1, self.channels):
                raise FeatvizError(f"`{name}` has {len(values)} values; expected 1 or {self.channels}, one per channel")
            object.__setattr__(self, name, values)
        if not _is_positive_int(self.multiple) or any(side % self.multiple for side in self.size):
            raise FeatvizError(f"`multiple` is {self.multiple}; expected a divisor of the sides {self.size}")

        object.__setattr__(self, "rgb", _parse_bands(self.rgb, self.channels))

    @property
    def encoding(self) -> dict[str, Any]:
        """What decides which values the network gets of an image, as JSON: equal where all images are encoded alike.

        >>> InputSpec(size=8, mean=0.5).encoding["mean"]
        [0.5, 0.5, 0.5]
        """
        rows = {
            name: [float(value) for value in (values * self.channels if len(values) == 1 else values)]
            for name, values in (("mean", self.mean), ("std", self.std))
        }
        return {"scale": float(self.scale), **rows, "bgr": bool(self.bgr), "multiple": int(self.multiple)}

    def encode(self, images: Float[Array, "n h w c"]) -> Float[Array, "n _ _ _"]:
        """Images in [0,1] as the network expects them, of the same size or of the nearest one that it takes.

        Raises:
            FeatvizError: If the images have another number of channels.
        """
        if images.shape[-1] != self.channels:
            raise FeatvizError(f"`images` have {images.shape[-1]} channels; expected {self.channels}")
        sides = [max(1, round(side / self.multiple)) * self.multiple for side in images.shape[1:3]]
        if sides != list(images.shape[1:3]):
            shape = (images.shape[0], *sides, images.shape[3])
            images = jax.image.resize(images, shape, "bilinear").astype(images.dtype)
        if self.bgr:
            images = images[..., ::-1]
        encoded = (images * self.scale - self._per_channel(self.mean, images)) / self._per_channel(self.std, images)
        return jnp.moveaxis(encoded, -1, 1) if self.channels_first else encoded

    def _per_channel(self, values: tuple[float, ...], images: Float[Array, "n h w c"]) -> Float[Array, "1 1 1 c"]:
        row = jnp.broadcast_to(jnp.asarray(values, images.dtype), (self.channels,))
        return row.reshape((1,) * (images.ndim - 1) + (self.channels,))


def _is_positive_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def _parse_size(size: Any) -> tuple[int, int]:
    """Height and width, from one number or two."""
    sides = tuple(size) if isinstance(size, tuple | list | np.ndarray) else (size, size)
    if len(sides) != 2 or not all(map(_is_positive_int, sides)):
        raise FeatvizError(f"`size` is {size!r}; expected pixels per side, such as 224, or (height, width)")
    return int(sides[0]), int(sides[1])


def _parse_values(name: str, values: Any) -> tuple[float, ...]:
    """One number, or one per channel."""
    row = tuple(values) if isinstance(values, tuple | list | np.ndarray) else (values,)
    if not all(isinstance(value, int | float | np.number) for value in row):
        raise FeatvizError(f"`{name}` is {values!r}; expected a number, or one per channel, such as (0.5, 0.5, 0.5)")
    return row


def _parse_bands(bands: Any, channels: int) -> tuple[int, ...]:
    """Three indices of channels, or none."""
    row = tuple(bands) if isinstance(bands, tuple | list | np.ndarray) else (bands,)
    if row and (len(row) != 3 or not all(_is_positive_int(band + 1) and band < channels for band in row)):
        raise FeatvizError(f"`rgb` is {bands!r}; expected three of the {channels} channels, 0 to {channels - 1}")
    return tuple(map(int, row))
