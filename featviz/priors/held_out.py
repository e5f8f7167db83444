"""The loss of a denoiser on photographs that its training never sees, by noise level and size."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import compiled
from featviz.priors.crops import Pyramids, crop_source, draw_crops, large_enough
from featviz.priors.training_step import denoising_loss
from featviz.priors.unet import DenoiserConfig, Weights

SIGMAS = (0.03, 0.1, 0.3, 1.0, 3.0)
# Crops in a call, and calls for a noise level: a look takes a CPU some ten seconds.
BATCH, BATCHES = 32, 1
Path = str | os.PathLike[str]


class HeldOut(NamedTuple):
    """Crops with the noise that is added to them, the same at each look.

    Args:
      size: of the crops.
      images: in [0,1].
      noise: of standard deviation 1.
    """

    size: int
    images: Float[Array, "k n s s c"]
    noise: Float[Array, "k n s s c"]


def split_photographs(paths: Sequence[Path], *, every: int = 20) -> tuple[list[Path], list[Path]]:
    """The photographs to train on, and those held out: every 20th.

    Args:
      paths: of all.
      every: one of how many is held out.

    >>> split_photographs(["a", "b", "c", "d"], every=2)
    (['a', 'c'], ['b', 'd'])
    """
    held = [path for index, path in enumerate(paths) if index % every == every - 1]
    return [path for index, path in enumerate(paths) if index % every != every - 1], held


def held_out_crops(pyramids: Pyramids, sizes: Sequence[int], channels: int) -> list[HeldOut]:
    """Crops of held-out photographs at all scales, colors as they are; none of a size that no photograph has.

    Args:
      pyramids: the photographs.
      sizes: of the crops.
      channels: of the photographs.
    """

    def draw(source: Any, size: int) -> tuple[Array, Array]:
        keys = jax.random.split(jax.random.key(7), 2)
        images = draw_crops(keys[0], source, BATCH * BATCHES, size, channels, jitter=False)
        noise = jax.random.normal(keys[1], images.shape)
        shape = (BATCHES, BATCH, size, size, channels)
        return images.reshape(shape), noise.reshape(shape)

    jitted = jax.jit(draw, static_argnums=1)
    known = [size for size in sizes if large_enough(pyramids, size).any()]
    return [HeldOut(size, *jitted(crop_source(pyramids, size), size)) for size in known]


class LossTable:
    """The losses of weights on crops; its programs are compiled once.

    Args:
      config: the architecture.
      half: whether convolutions are computed in bfloat16.
    """

    def __init__(self, config: DenoiserConfig, *, half: bool = False) -> None:
        self._losses = jax.jit(
            lambda weights, images, noise, sigma: jnp.mean(
                denoising_loss(config, weights, images, noise, sigma, half=half)
            )
        )

    def __call__(self, weights: Weights, crops: Sequence[HeldOut]) -> dict[int, list[float]]:
        """By size, the losses at `SIGMAS`."""
        table = {}
        for size, images, noise in crops:
            pairs = list(zip(images, noise, strict=True))
            losses = [[self._loss(weights, *pair, sigma) for pair in pairs] for sigma in SIGMAS]
            table[size] = [float(np.mean([float(loss) for loss in row])) for row in losses]
        return table

    def _loss(self, weights: Weights, images: Array, noise: Array, sigma: float) -> Any:
        args = (weights, images, noise, jnp.full(len(images), sigma, jnp.float32))
        return compiled(self._losses, *args)(*args)


def mean_loss(table: dict[int, list[float]]) -> float:
    """The mean over sizes and noise levels."""
    return float(np.mean(list(table.values())))
