"""Another network's features, by which pictures and photographs are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Model, Weights
from featviz.natural.positions import grid_of
from featviz.natural.reduction import batches, trunk

# The share of a network's layers, by their number, after which features predict best: late ones know objects, not
# what a unit half way looks for (measured by how well photographs themselves do).
DEPTH = 0.5


@dataclass(frozen=True)
class Features:
    """phi: the mean over positions of one layer of a network, without its class token; (n, units).

    >>> import featviz as fv
    >>> Features(fv.load("patterns"), "mixed4a")([np.zeros((64, 64, 3), np.uint8)]).shape
    (1, 80)
    """

    model: Model
    layer: str

    def __post_init__(self) -> None:
        self.model.layer(self.layer)

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The features of uint8 images (h, w, channels) of any sizes, scaled to the network's own: (n, units)."""
        if not len(images):
            return np.zeros((0, self.model.layer(self.layer).units), np.float32)
        size, found = self.model.input.size, []
        for count, some in batches([fit(image, size) for image in images]):
            program = compiled(_pooled(self.model.apply, self.layer), self.model.weights, some)
            found.append(np.asarray(program(self.model.weights, some))[:count])
        return np.concatenate(found)


@lru_cache(maxsize=8)
def _pooled(apply: Any, layer: str) -> Any:
    def pooled(weights: Weights, images: jax.Array) -> jax.Array:
        activation = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=[layer])[layer]
        skipped = grid_of(activation.shape[1:]).skipped
        maps = activation[:, skipped:] if activation.ndim == 3 else activation
        return maps.mean(tuple(range(1, maps.ndim - 1)))

    return jax.jit(pooled)


def features_of(other: Model | Features) -> Features:
    """The features of a network: as they are, or of the layer half way through it."""
    if isinstance(other, Features):
        return other
    if not isinstance(other, Model):
        raise FeatvizError(f"`other` is a {type(other).__name__}; expected a Model or Features(model, layer)")
    chosen = [layer for layer in trunk(other) if len(layer.shape) in (2, 3)]
    if not chosen:
        raise FeatvizError(f"`other`: {other.name} has no layer of shape (h, w, c) or (tokens, c)")
    return Features(other, chosen[min(int(DEPTH * len(chosen)), len(chosen) - 1)].name)


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A uint8 image (h, w, c) scaled to `size` (height, width), antialiased, bicubic."""
    from PIL import Image

    if image.shape[:2] == tuple(size):
        return image
    shown = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    made = np.asarray(shown.resize((size[1], size[0]), Image.Resampling.BICUBIC))
    return made if made.ndim == 3 else made[..., None]
