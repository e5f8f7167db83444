"""Observe: what a layer makes of one image."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.kept import kept_with_owner
from featviz.common.placement import gather
from featviz.model import Apply, Model
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_image


def observe(model: Model, image: np.ndarray | Picture, layer: str, *, weights: Any = None) -> np.ndarray:
    """A layer's activations for one image: (h, w, c), (tokens, c) or (c,), float32.

    `image` is (height, width, channels) in [0,1], or a Picture. What `guided_dream`, `caricature`, `inversion` and
    `style` compare a picture with.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> features = fv.observe(model, np.full((32, 32, 3), 0.5, np.float32), "conv2")
    >>> fv.inversion("conv2", features).label
    'conv2:inversion'

    Raises: FeatvizError for an unknown layer, or an image of the wrong shape or range.
    """
    pixels = check_image("image", image, model)
    run = _activation_program(model.apply, layer)
    return np.asarray(
        run(model.weights if weights is None else gather(weights), jnp.asarray(pixels[None])), np.float32
    )[0]


@kept_with_owner(maxsize=8)
def _activation_program(apply: Apply, layer: str) -> jax.stages.Wrapped:
    return jax.jit(lambda weights, images: apply(weights, images, layers=(layer,))[layer])
