"""How far a layer looks, and which objectives can be dreamed in tiles."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from featviz.dreaming.tiles import GRID, Tiling
from featviz.errors import FeatvizError
from featviz.gradients.rules import run_with_rules
from featviz.model import IMAGE, Model, Weights
from featviz.model.shapes import shapes_at
from featviz.objectives import Objective

# Pixels a side of an image on which the reach is measured; what looks farther than its half is taken for a whole.
PROBE = 1024
# Of the gradient's sum: what lies farther out is thrown away. With FACTOR the gradient across tile borders is within
# 5 % of that of the image in one piece (tests/test_dreaming.py): with 1.15 it was 6 % at GoogLeNet's 4c.
SHARE, FACTOR = 0.99, 1.5


def plan_tiling(model: Model, weights: Weights, objective: Objective, *, side: int) -> Tiling:
    """Tiles of `side` pixels whose margins are as wide as the objective's layers look.

    Raises: FeatvizError for an objective that is not a mean over positions of layers with positions, or whose layers
    look farther than a tile has room for.
    """
    for term in objective.terms:
        if not term.mean_over_positions and term.layers != (IMAGE,):
            raise FeatvizError(
                f"`{term.label}` looks at the image as a whole and cannot be dreamed in tiles; expected a mean over "
                "positions, such as a layer or a channel, or a smaller photo and `tile` 0"
            )
    margin = 0
    for layer in (name for name in objective.layers if name != IMAGE):
        far = reach(model, weights, layer)
        margin = max(margin, math.ceil(FACTOR * far / GRID) * GRID)
    # At less a tile would be nearly all margin.
    least = 2 * margin + 2 * GRID
    if side < least:
        raise FeatvizError(f"`tile` is {side}; {objective.label} looks {margin} pixels far, expected at least {least}")
    return Tiling(side, margin)


def reach(model: Model, weights: Weights, layer: str) -> int:
    """Pixels from the middle to the side of the square that holds 99 % of the gradient at one position of a layer.

    Measured on noise at the middle of a large image: sum |d |h|^2 / dx|.

    Raises: FeatvizError for a layer without two axes of positions, or one that looks at most of the large image.
    """
    image = np.random.default_rng(0).normal(0.5, 0.2, (1, PROBE, PROBE, model.input.channels))
    image = np.clip(image, 0, 1).astype(np.float32)
    try:
        found = shapes_at(model, (layer,), (PROBE, PROBE))[layer]
    except Exception as error:
        line = str(error).strip().splitlines()[0]
        raise FeatvizError(f"{model.name} runs on one size of image only, no tiles are possible: {line}") from error
    if len(found) != 3 or min(found[:2]) < 2:
        raise FeatvizError(
            f"{layer} is {found} at {PROBE} pixels and pools over the whole image, so it cannot be dreamed in "
            "tiles; expected a layer with rows and columns, or a smaller photo and `tile` 0"
        )

    def middle(weights: Weights, image: jax.Array) -> jax.Array:
        h = run_with_rules(model.apply, weights, image, (layer,))[layer]
        return jnp.sum(jnp.square(h[:, h.shape[1] // 2, h.shape[2] // 2]))

    gradient = np.abs(np.asarray(jax.jit(jax.grad(middle, argnums=1))(weights, image))[0]).sum(-1)
    away = np.abs(np.arange(PROBE) - PROBE // 2)
    rings = np.bincount(np.maximum(away[:, None], away[None, :]).ravel(), gradient.ravel().astype(np.float64))
    if rings.sum() == 0:
        return 0
    far = int(np.searchsorted(np.cumsum(rings) / rings.sum(), SHARE))
    if far >= PROBE // 2 - GRID or rings[-1] > 0:
        raise FeatvizError(
            f"{layer} looks at all of an image of {PROBE} pixels (it pools over the whole image, or attends to it), so "
            "it cannot be dreamed in tiles; expected a lower layer, or a smaller photo and `tile` 0"
        )
    return far
