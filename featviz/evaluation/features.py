"""Another network's features, by which pictures and photographs are compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Model, Weights
from featviz.model.layer_patterns import block_layers
from featviz.surveys.receptive_fields import by_position
from featviz.surveys.reduction import batches

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

    def __call__(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """The features of uint8 images (h, w, channels) of any sizes, scaled to the network's own: (n, units).

        Grays become colors and colors grays as the network wants them; a generator's images are never all held.
        """
        found = [np.zeros((0, self.model.layer(self.layer).units), np.float32)]
        size, channels = self.model.input.size, self.model.input.channels
        for count, some in batches(fit(image, size, channels=channels) for image in images):
            program = compiled(_pooled(self.model.apply, self.layer), self.model.weights, some)
            found.append(np.asarray(program(self.model.weights, some))[:count])
        return np.concatenate(found)


@lru_cache(maxsize=8)
def _pooled(apply: Any, layer: str) -> Any:
    def pooled(weights: Weights, images: jax.Array) -> jax.Array:
        activation = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=[layer])[layer]
        return by_position(activation).mean(1)

    return jax.jit(pooled)


def features_of(other: Model | Features) -> Features:
    """The features of a network: as they are, or of the layer half way through it."""
    if isinstance(other, Features):
        return other
    if not isinstance(other, Model):
        raise FeatvizError(f"`other` is a {type(other).__name__}; expected a Model or Features(model, layer)")
    chosen = [layer for layer in block_layers(other) if len(layer.shape) in (2, 3)]
    if not chosen:
        raise FeatvizError(f"`other`: {other.name} has no layer of shape (h, w, c) or (tokens, c)")
    return Features(other, chosen[min(int(DEPTH * len(chosen)), len(chosen) - 1)].name)


def fit(image: np.ndarray, size: tuple[int, int], *, channels: int | None = None) -> np.ndarray:
    """A uint8 image (h, w, c) scaled to `size` (height, width), antialiased, bicubic; of 1 or 3 `channels` if given.

    >>> fit(np.zeros((8, 8, 1), np.uint8), (4, 4), channels=3).shape
    (4, 4, 3)
    """
    from PIL import Image

    channels = channels or image.shape[-1]
    if image.shape == (*size, channels):
        return image
    shown = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert({1: "L", 3: "RGB"}[channels])
    made = np.asarray(shown.resize((size[1], size[0]), Image.Resampling.BICUBIC))
    return made if made.ndim == 3 else made[..., None]
