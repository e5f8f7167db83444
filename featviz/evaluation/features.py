"""phi: another network's features, by which pictures and photographs are compared."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from featviz.common.bands import resize_bands, shown_bands
from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.evaluation.corruptions import Pixels
from featviz.model import Apply, Model, Weights
from featviz.model.layer_patterns import block_layers
from featviz.surveys.receptive_fields import by_position
from featviz.surveys.reduction import batches

# The share of a network's layers after which features predict best: late layers represent objects, not what a unit half
# way looks for (measured by how well photographs themselves predict).
DEPTH = 0.5


@dataclass(frozen=True)
class Features:
    """phi: the mean over positions of one layer's activations, without the class token.

    Attributes:
      model: the network.
      layer: one of its layers.
      rgb: the bands that a network of colors is shown of images of more than three, as `InputSpec.rgb`.

    Raises: FeatvizError, with the nearest name, for an unknown layer.

    >>> import featviz as fv
    >>> Features(fv.load("patterns"), "mixed4a")([np.zeros((64, 64, 3), np.uint8)]).shape
    (1, 80)
    """

    model: Model
    layer: str
    rgb: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        self.model.layer(self.layer)

    def __call__(self, images: Iterable[Pixels]) -> Float[np.ndarray, "n units"]:
        """The features of images.

        Args:
          images: uint8 (h, w, channels) of any sizes, which are resized to the network's, grays and colors converted.
            A generator's images are not all in memory at once.
        """
        parts = [np.zeros((0, self.model.layer(self.layer).units), np.float32)]
        size, channels = self.model.input.size, self.model.input.channels
        for count, batch in batches(fit(image, size, channels=channels, rgb=self.rgb) for image in images):
            program = compiled(_pooled(self.model.apply, self.layer), self.model.weights, batch)
            parts.append(np.asarray(program(self.model.weights, batch))[:count])
        return np.concatenate(parts)


@kept_with_owner(maxsize=8)
def _pooled(apply: Apply, layer: str) -> Callable[..., jax.Array]:
    def pooled(weights: Weights, images: jax.Array) -> jax.Array:
        activation = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=[layer])[layer]
        return by_position(activation, (images.shape[1], images.shape[2])).mean(1)

    return jax.jit(pooled)


def features_of(other: Model | Features) -> Features:
    """The features of a network: those given, or of the layer half way through a Model.

    Raises: FeatvizError for any other type, or a network without layers of positions.
    """
    if isinstance(other, Features):
        return other
    if not isinstance(other, Model):
        raise FeatvizError(f"`other` is a {type(other).__name__}; expected a Model or Features(model, layer)")
    chosen = [layer for layer in block_layers(other) if len(layer.shape) in (2, 3)]
    if not chosen:
        raise FeatvizError(f"`other`: {other.name} has no layer of shape (h, w, c) or (tokens, c)")
    return Features(other, chosen[min(int(DEPTH * len(chosen)), len(chosen) - 1)].name)


def fit(image: Pixels, size: tuple[int, int], *, channels: int | None = None, rgb: tuple[int, ...] = ()) -> Pixels:
    """An image resized, bicubic and antialiased.

    Args:
      image: uint8 (h, w, c).
      size: (height, width).
      channels: by default the image's. Grays and colors are converted, and of more bands three are shown to a network
        of colors.
      rgb: which three, as `InputSpec.rgb`.

    Raises: FeatvizError where a network takes other bands than the image has.

    >>> fit(np.zeros((8, 8, 1), np.uint8), (4, 4), channels=3).shape
    (4, 4, 3)
    """
    from PIL import Image

    channels = channels or image.shape[-1]
    if image.shape == (*size, channels):
        return image
    if image.shape[-1] != channels:
        image = shown_bands(image, rgb)
        if channels not in (1, 3):
            raise FeatvizError(
                f"the pictures have {image.shape[-1]} channels; expected {channels}, as the network takes"
            )
        converted = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        image = np.asarray(converted.convert({1: "L", 3: "RGB"}[channels])).reshape(*image.shape[:2], channels)
    return resize_bands(image, size)
