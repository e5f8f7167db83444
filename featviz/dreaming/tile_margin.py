"""The margin of tiles: how large the receptive fields of layers are, and which objectives can be dreamed in tiles."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import compiled
from featviz.dreaming.tiles import GRID, Tiling
from featviz.errors import FeatvizError
from featviz.gradients.rules import run_with_rules
from featviz.model import IMAGE, Apply, Model, Weights
from featviz.model.shapes import shapes_at
from featviz.objectives import Objective

# Pixels a side of the image on which receptive fields are measured; a layer with a larger one cannot be tiled.
PROBE_SIZE = 1024
# The part of the gradient's sum that the receptive field holds, and how many times its radius the margin is. The
# gradient across tile borders is then within 5 % of that of the image in one piece (tests/dreaming/test_tiles.py); with
# a factor of 1.15 it was 6 % at GoogLeNet's 4c.
GRADIENT_SHARE, MARGIN_FACTOR = 0.99, 1.5


def plan_tiling(model: Model, weights: Weights, objective: Objective, *, side: int) -> Tiling:
    """Tiles of `side` pixels whose margins are as wide as the receptive fields of the objective's layers.

    Raises: FeatvizError for an objective that is not a mean over positions of layers with positions, or for tiles too
    small for the margins.
    """
    for term in objective.terms:
        if not term.mean_over_positions and term.layers != (IMAGE,):
            raise FeatvizError(
                f"`{term.label}` depends on the image as a whole and cannot be dreamed in tiles; expected a mean over "
                "positions, such as a layer or a channel, or a smaller photo and `tile` 0"
            )
    margin = 0
    for layer in (name for name in objective.layers if name != IMAGE):
        radius = receptive_field_radius(model, weights, layer)
        margin = max(margin, math.ceil(MARGIN_FACTOR * radius / GRID) * GRID)
    # Smaller tiles would be nearly all margin.
    min_side = 2 * margin + 2 * GRID
    if side < min_side:
        raise FeatvizError(
            f"`tile` is {side}; {objective.label} needs a margin of {margin} pixels, expected at least {min_side}"
        )
    return Tiling(side, margin)


def receptive_field_radius(model: Model, weights: Weights, layer: str) -> int:
    """Pixels from the center to the side of the square that holds 99 % of the gradient of one position of a layer.

    Measured on noise at the center of a large image: sum |d |h|^2 / dx|. This effective receptive field is several
    times smaller than the theoretical one (Luo et al. 2016).

    Raises: FeatvizError for a layer without two axes of positions, or one that sees most of the large image.
    """
    try:
        shape = shapes_at(model, (layer,), (PROBE_SIZE, PROBE_SIZE))[layer]
    except Exception as error:
        line = str(error).strip().splitlines()[0]
        raise FeatvizError(f"{model.name} takes images of one size only, no tiles are possible: {line}") from error
    if len(shape) != 3 or min(shape[:2]) < 2:
        raise FeatvizError(
            f"{layer} is {shape} at {PROBE_SIZE} pixels and pools over the whole image, so it cannot be dreamed in "
            "tiles; expected a layer with rows and columns, or a smaller photo and `tile` 0"
        )
    image = np.random.default_rng(0).normal(0.5, 0.2, (1, PROBE_SIZE, PROBE_SIZE, model.input.channels))
    image = np.clip(image, 0, 1).astype(np.float32)
    program = compiled(_center_gradient, weights, image, owner=model.apply, apply=model.apply, layer=layer)
    gradient = np.abs(np.asarray(program(weights, image))[0]).sum(-1)
    offset = np.abs(np.arange(PROBE_SIZE) - PROBE_SIZE // 2)
    rings = np.bincount(np.maximum(offset[:, None], offset[None, :]).ravel(), gradient.ravel().astype(np.float64))
    if rings.sum() == 0:
        return 0
    radius = int(np.searchsorted(np.cumsum(rings) / rings.sum(), GRADIENT_SHARE))
    if radius >= PROBE_SIZE // 2 - GRID or rings[-1] > 0:
        raise FeatvizError(
            f"{layer} sees the whole of an image of {PROBE_SIZE} pixels (it pools over the image, or attends to it), "
            "so it cannot be dreamed in tiles; expected a lower layer, or a smaller photo and `tile` 0"
        )
    return radius


@partial(jax.jit, static_argnames=("apply", "layer"))
def _center_gradient(
    weights: Weights, image: Float[Array, "1 h w c"], *, apply: Apply, layer: str
) -> Float[Array, "1 h w c"]:
    """d |h|^2 / dx at the center position of a layer."""

    def squared_norm(image: Float[Array, "1 h w c"]) -> Float[Array, ""]:
        h = run_with_rules(apply, weights, image, (layer,))[layer]
        return jnp.sum(jnp.square(h[:, h.shape[1] // 2, h.shape[2] // 2]))

    return jax.grad(squared_norm)(image)
