"""Tiles: windows of one size over an image of any size, and an objective's gradient gathered from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.common.compilation import compiled
from featviz.gradients.rules import run_with_rules
from featviz.model import IMAGE, Apply, Weights
from featviz.objectives import Objective

# Corners of unshifted tiles are multiples of it; the strides of image networks divide it.
GRID = 32


class Tiling(NamedTuple):
    """Tiles of `side` x `side` pixels; the gradient of the outer `margin` pixels is discarded."""

    side: int
    margin: int

    @property
    def pitch(self) -> int:
        """Pixels from one tile to the next."""
        return self.side - 2 * self.margin


class Tile(NamedTuple):
    """A tile's corner (row, column), which may lie outside the image, and its core: the pixels it gives a gradient."""

    corner: tuple[int, int]
    core: tuple[slice, slice]


def tiles_of(size: tuple[int, int], tiling: Tiling, shift: tuple[int, int]) -> Iterator[Tile]:
    """Tiles whose cores cover an image of `size` (height, width), each pixel once; a shift moves their borders.

    All corners differ by multiples of the pitch, so a network whose strides divide it sees all tiles in one phase.

    >>> [tile.core[1] for tile in tiles_of((3, 10), Tiling(side=10, margin=2), (0, 1))]
    [slice(0, 5, None), slice(5, 10, None)]
    """
    rows, columns = (_along_axis(length, tiling, offset) for length, offset in zip(size, shift, strict=True))
    for top, core_rows in rows:
        for left, core_columns in columns:
            yield Tile((top, left), (core_rows, core_columns))


def _along_axis(length: int, tiling: Tiling, shift: int) -> list[tuple[int, slice]]:
    count = -(-length // tiling.pitch)
    # Unshifted tiles begin at multiples of the grid, as the image does.
    first = -((count * tiling.pitch - length) // 2 // GRID * GRID) - shift
    # A shift of more than the pitch would leave pixels before the first tile.
    first -= tiling.pitch * max(0, -(-first // tiling.pitch))
    starts = range(first, length, tiling.pitch)
    cores = [(start, slice(max(start, 0), min(start + tiling.pitch, length))) for start in starts]
    return [(start - tiling.margin, core) for start, core in cores if core.start < core.stop]


def cut_tile(image: Float[np.ndarray, "h w c"], corner: tuple[int, int], side: int) -> Float[np.ndarray, "side side c"]:
    """The window of `side` x `side` pixels at a corner; beyond its edges the image is mirrored.

    >>> cut_tile(np.arange(3)[None, :, None], (0, -2), 8)[0, :, 0].tolist()
    [1, 0, 0, 1, 2, 2, 1, 0]
    """
    rows, columns = (
        _mirror(np.arange(start, start + side), length) for start, length in zip(corner, image.shape[:2], strict=True)
    )
    return image[rows[:, None], columns[None, :]]


def _mirror(index: Int[np.ndarray, " side"], length: int) -> Int[np.ndarray, " side"]:
    index = index % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


@partial(jax.jit, static_argnames="apply")
def score_and_gradient(
    weights: Weights, objective: Objective, images: Float[Array, "n h w c"], *, apply: Apply
) -> tuple[Float[Array, " n"], Float[Array, "n h w c"]]:
    """The objective of each image, and its gradient with respect to the images."""

    def total(images: Float[Array, "n h w c"]) -> tuple[Float[Array, ""], Float[Array, " n"]]:
        activations = run_with_rules(apply, weights, images, objective.layers)
        scores = objective({**activations, IMAGE: images})
        return jnp.sum(scores), scores

    (_, scores), gradient = jax.value_and_grad(total, has_aux=True)(images)
    return scores, gradient


@dataclass(frozen=True)
class ImageGradient:
    """The gradient of a network's objective with respect to an image of any size.

    Without `tiling` the network sees an image in one piece. With it, the network sees one tile after another, by one
    program for all sizes of images, so that memory is bounded.
    """

    apply: Apply
    weights: Weights
    objective: Objective
    tiling: Tiling | None = None

    def __call__(
        self, image: Float[np.ndarray, "h w c"], shift: tuple[int, int]
    ) -> tuple[float, Float[np.ndarray, "h w c"]]:
        """The objective and its gradient at an image shifted by (rows, columns).

        In one piece the image is rolled, so that what leaves on one side enters on the other, and the gradient rolled
        back (Mordvintsev et al. 2015). With tiles the tiles are shifted instead.
        """
        if self.tiling is None:
            return self._in_one_piece(image, shift)
        return self._in_tiles(image, shift, self.tiling)

    def _in_one_piece(
        self, image: Float[np.ndarray, "h w c"], shift: tuple[int, int]
    ) -> tuple[float, Float[np.ndarray, "h w c"]]:
        scores, gradient = self._run(np.roll(image, shift, axis=(0, 1)))
        return float(scores[0]), np.roll(np.asarray(gradient)[0], (-shift[0], -shift[1]), axis=(0, 1))

    def _in_tiles(
        self, image: Float[np.ndarray, "h w c"], shift: tuple[int, int], tiling: Tiling
    ) -> tuple[float, Float[np.ndarray, "h w c"]]:
        height, width = image.shape[:2]
        gradient = np.empty_like(image)
        total = 0.0
        running: list[Any] = []

        def gather() -> float:
            """Copies the core of the oldest running tile; its score times its area."""
            tile, (scores, tile_gradient) = running.pop(0)
            rows, columns = tile.core
            top, left = tile.corner
            core = np.asarray(tile_gradient)[
                0, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
            gradient[rows, columns] = core
            return float(scores[0]) * core.shape[0] * core.shape[1]

        for tile in tiles_of((height, width), tiling, shift):
            running.append((tile, self._run(cut_tile(image, tile.corner, tiling.side))))
            # The next tile is cut while the device works on this one.
            if len(running) > 1:
                total += gather()
        while running:
            total += gather()
        # Terms are means over positions: those of a tile stand in for those of the image.
        gradient *= np.float32(tiling.side**2 / (height * width))
        return total / (height * width), gradient

    def _run(self, image: Float[np.ndarray, "h w c"]) -> tuple[Float[Array, " n"], Float[Array, "n h w c"]]:
        images = jnp.asarray(image[None])
        program = compiled(score_and_gradient, self.weights, self.objective, images, owner=self.apply, apply=self.apply)
        outputs: tuple[Float[Array, " n"], Float[Array, "n h w c"]] = program(self.weights, self.objective, images)
        return outputs
