"""The gradient of an objective with respect to a whole image: in one piece, or gathered from tiles."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.dreaming.tiles import Tiling, cut, place
from featviz.gradients.rules import run_with_rules
from featviz.model import IMAGE, Apply, Weights
from featviz.objectives import Objective


@partial(jax.jit, static_argnames="apply")
def slope(weights: Weights, objective: Objective, images: jax.Array, *, apply: Apply) -> tuple[jax.Array, jax.Array]:
    """The objective, (n,), and its gradient, of the shape of `images`, (n, height, width, channels)."""

    def score_of(images: jax.Array) -> tuple[jax.Array, jax.Array]:
        activations = run_with_rules(apply, weights, images, objective.layers)
        scores = objective({**activations, IMAGE: images})
        return jnp.sum(scores), scores

    (_, scores), gradient = jax.value_and_grad(score_of, has_aux=True)(images)
    return scores, gradient


@dataclass(frozen=True)
class TiledGradient:
    """An objective of a network whose gradient is wanted at images of any size.

    Without `tiling` the network sees an image in one piece; with it, one tile after another, by one program for all
    sizes of images, so that memory is bounded.
    """

    apply: Apply
    weights: Weights
    objective: Objective
    tiling: Tiling | None = None

    def __call__(self, image: np.ndarray, shift: tuple[int, int]) -> tuple[float, np.ndarray]:
        """The objective and its gradient, (height, width, channels), at an image shifted by (rows, columns).

        In one piece the image is rolled, what leaves on one side enters on the other, and the gradient rolled back
        (Mordvintsev et al. 2015). In tiles it is the tiles that are shifted.
        """
        if self.tiling is None:
            return self._whole(image, shift)
        return self._tiled(image, shift, self.tiling)

    def _whole(self, image: np.ndarray, shift: tuple[int, int]) -> tuple[float, np.ndarray]:
        scores, gradient = self._run(np.roll(image, shift, axis=(0, 1)))
        return float(scores[0]), np.roll(np.asarray(gradient)[0], (-shift[0], -shift[1]), axis=(0, 1))

    def _tiled(self, image: np.ndarray, shift: tuple[int, int], tiling: Tiling) -> tuple[float, np.ndarray]:
        height, width = image.shape[:2]
        gradient = np.empty_like(image)
        total = 0.0
        waiting: list[Any] = []

        def gather() -> float:
            tile, (scores, found) = waiting.pop(0)
            rows, columns = tile.core
            top, left = tile.corner
            inside = np.asarray(found)[
                0, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
            gradient[rows, columns] = inside
            return float(scores[0]) * inside.shape[0] * inside.shape[1]

        for tile in place((height, width), tiling, shift):
            waiting.append((tile, self._run(cut(image, tile.corner, tiling.side))))
            # The next tile is cut while the device works on this one.
            if len(waiting) > 1:
                total += gather()
        while waiting:
            total += gather()
        # Terms are means over positions: of a tile's in the place of the image's.
        gradient *= np.float32(tiling.side**2 / (height * width))
        return total / (height * width), gradient

    def _run(self, image: np.ndarray) -> tuple[jax.Array, jax.Array]:
        images = jnp.asarray(image[None])
        program = compiled(slope, self.weights, self.objective, images, apply=self.apply)
        return program(self.weights, self.objective, images)
