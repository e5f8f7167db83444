"""Photographs at many scales on the device, and random crops of them."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt8

from featviz.common.photograph import read_photograph
from featviz.errors import FeatvizError
from featviz.priors.color_jitter import NUMBERS as JITTER_NUMBERS
from featviz.priors.color_jitter import jitter_colors

if TYPE_CHECKING:
    from PIL.Image import Image

# Between the sizes of a photograph; a crop is reduced by a random factor between 1 and this.
STEP = math.sqrt(2)
# The largest short side of a photograph: beyond it there is little but texture.
LARGEST = 512
# Values are addressed by 32-bit integers.
MAX_VALUES = 2**31 - 1


class Pyramids(NamedTuple):
    """Photographs at scales of factors of the square root of 2, one after the other in one array.

    Args:
      values: all values, 8 bits each.
      offsets: where each image begins.
      heights: of each image.
      widths: of each image.
    """

    values: UInt8[Array, " values"]
    offsets: Int[np.ndarray, " images"]
    heights: Int[np.ndarray, " images"]
    widths: Int[np.ndarray, " images"]


class CropSource(NamedTuple):
    """The images of which crops of one size are taken.

    Args:
      values: all values, 8 bits each.
      offsets: where each image begins.
      heights: of each image.
      widths: of each image.
      chances: cumulated shares of the images among the crops.
    """

    values: UInt8[Array, " values"]
    offsets: Int[Array, " images"]
    heights: Int[Array, " images"]
    widths: Int[Array, " images"]
    chances: Float[Array, " images"]


def read_pyramids(paths: Sequence[str | os.PathLike[str]], channels: int, sizes: Sequence[int]) -> Pyramids:
    """Reads photographs and reduces them (Lanczos) step by step to the smallest that a crop can be taken of.

    Args:
      paths: of the photographs; as many threads as there are cores read them.
      channels: 1 for gray, 3 for RGB.
      sizes: of the crops.

    Raises:
      FeatvizError: if a file is no image, or together they have too many pixels.
    """
    smallest = min(map(window_size, sizes))
    with ThreadPoolExecutor(min(32, os.cpu_count() or 1)) as pool:
        levels = list(pool.map(lambda path: _reductions(read_photograph(path, channels), smallest), paths))
    images = [image for own in levels for image in own]
    counts = np.array([image.size for image in images], np.int64)
    if counts.sum() > MAX_VALUES:
        raise FeatvizError(
            f"{len(paths)} photographs have {counts.sum():,} values at all scales; expected at most 2^31"
        )
    values = jnp.asarray(np.concatenate([image.ravel() for image in images]) if images else np.zeros(0, np.uint8))
    shapes = np.array([image.shape[:2] for image in images], np.int32).reshape(-1, 2)
    offsets = (np.cumsum(counts) - counts).astype(np.int32)
    return Pyramids(values, offsets, shapes[:, 0], shapes[:, 1])


def window_size(size: int) -> int:
    """The pixels a side of which a crop of `size` is made.

    >>> window_size(64), window_size(128)
    (91, 182)
    """
    return math.ceil(size * STEP)


def crop_source(pyramids: Pyramids, size: int) -> CropSource:
    """The images that are large enough for crops of `size`, each drawn as often as the root of its short side says.

    All scales are seen then, and those where whole photographs fill a crop, of which there are few, less often.

    Args:
      pyramids: photographs at many scales.
      size: of the crops, in pixels.

    Raises:
      FeatvizError: if no image is large enough.
    """
    short, large = np.minimum(pyramids.heights, pyramids.widths), large_enough(pyramids, size)
    if not large.any():
        found = f"the largest is {short.max()} px" if short.size else "there is none"
        raise FeatvizError(
            f"crops of {size} px need photographs whose short side has {window_size(size)} px; {found}; "
            "expected larger photographs or smaller crops (`sizes`)"
        )
    shares = np.cumsum(np.sqrt(short[large].astype(np.float64)))
    offsets, heights, widths = (jnp.asarray(own[large]) for own in pyramids[1:])
    chances = jnp.asarray(shares / shares[-1], jnp.float32)
    return CropSource(pyramids.values, offsets, heights, widths, chances)


def large_enough(pyramids: Pyramids, size: int) -> Bool[np.ndarray, " images"]:
    """Which images crops of `size` can be taken of."""
    large: np.ndarray = np.minimum(pyramids.heights, pyramids.widths) >= window_size(size)
    return large


def draw_crops(
    key: PRNGKeyArray, source: CropSource, count: int, size: int, channels: int, *, jitter: bool = True
) -> Float[Array, "n s s c"]:
    """Random crops at random scales, in [0,1], half of them mirrored.

    Args:
      key: of the random numbers.
      source: the photographs.
      count: how many crops.
      size: of a crop, in pixels.
      channels: of the photographs.
      jitter: whether colors are changed as well.
    """
    # One call of the generator for all numbers: XLA takes a second to compile each.
    numbers = jax.random.uniform(key, (count, 7 + JITTER_NUMBERS))
    return jax.vmap(lambda own: _draw(own, source, size, channels, jitter))(numbers)


def _draw(
    numbers: Float[Array, " k"], source: CropSource, size: int, channels: int, jitter: bool
) -> Float[Array, "s s c"]:
    window = window_size(size)
    index = jnp.searchsorted(source.chances, numbers[0])
    height, width = source.heights[index], source.widths[index]
    top, left = _below(numbers[1], height - window + 1), _below(numbers[2], width - window + 1)
    rows = source.offsets[index] + (top + jnp.arange(window)) * (width * channels)
    columns = left * channels + jnp.arange(window * channels)
    pixels = source.values[rows[:, None] + columns[None]].reshape(window, window, channels)
    # Reduced by a factor between 1 and STEP: photographs have no preferred scale.
    zoom = STEP ** numbers[3]
    inset = numbers[4:6] * (window - zoom * size)
    reduced = jax.image.scale_and_translate(
        pixels.astype(jnp.float32) / 255,
        (size, size, channels),
        (0, 1),
        jnp.stack([1 / zoom, 1 / zoom]),
        -inset / zoom,
        "lanczos3",
    )
    crop = jnp.where(numbers[6] < 0.5, reduced[:, ::-1], reduced)
    crop = jitter_colors(numbers[7:], crop) if jitter else crop
    return jnp.clip(crop, 0, 1)


def _below(number: Float[Array, ""], count: Int[Array, ""]) -> Int[Array, ""]:
    """A whole number below `count`, from one in [0,1)."""
    return jnp.minimum((number * count.astype(jnp.float32)).astype(jnp.int32), count - 1)


def _reductions(photograph: "Image", smallest: int) -> list[UInt8[np.ndarray, "h w c"]]:
    """A photograph at its own size or the largest, and at all smaller ones, of which the last has `smallest` pixels."""
    from PIL import Image

    own = min(photograph.size)
    if own < smallest:
        return []
    images = []
    short = float(min(own, LARGEST))
    while True:
        side = max(math.ceil(short - 1e-6), smallest)
        size = (max(side, round(photograph.width * side / own)), max(side, round(photograph.height * side / own)))
        resized = photograph if size == photograph.size else photograph.resize(size, Image.Resampling.LANCZOS)
        images.append(np.asarray(resized, np.uint8).reshape(size[1], size[0], -1))
        if side == smallest:
            return images
        # A step that is nearly one is not worth an image of its own.
        short = short / STEP if short / STEP > smallest * 1.1 else smallest
