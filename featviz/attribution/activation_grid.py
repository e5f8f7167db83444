"""The activation grid: every place of a layer drawn as the picture of what is there, its activation as a direction."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from featviz.attribution.explained_pictures import DIGITS, PictureFiles, drawn_size
from featviz.common.arguments import check_count
from featviz.common.canonical import digest
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.objectives import Objective, direction
from featviz.pages.page_images import encode_webp, resize_to
from featviz.pages.site_files import write_if_changed
from featviz.pictures.picture import Picture
from featviz.rendering.checks import LARGEST_SIZE, SMALLEST_SIZE, check_image
from featviz.rendering.observe import observe
from featviz.rendering.render import render_each
from featviz.surveys.receptive_fields import grid_of

if TYPE_CHECKING:
    from PIL.Image import Image

# Sides and steps of a cell's picture, and the most cells; a layer of more positions has cells of several.
CELL, STEPS, MAX_CELLS = 48, 64, 200
# How much the angle to the activation counts beside the length along it.
POWER = 1.0
QUALITY = 85


@dataclass(frozen=True)
class ActivationGrid:
    """What a layer holds at each place of a photo: activations, and from `fv.activation_grid` their pictures.

    Attributes:
        layer: The layer.
        vectors: The activation of each cell, (rows, columns, units): the mean over its positions.
        pictures: The picture of each as a direction, (rows, columns, side, side, 3), or None before they are drawn.
    """

    layer: str
    vectors: Float[np.ndarray, "rows columns units"]
    pictures: UInt8[np.ndarray, "rows columns h w 3"] | None = None

    @property
    def sides(self) -> Float[np.ndarray, "rows columns"]:
        """The side of each cell's picture, from 0 to 1: the root of its activation's length by the largest."""
        norms = np.linalg.norm(self.vectors, axis=-1)
        return np.sqrt(norms / max(float(norms.max()), float(np.finfo(np.float32).tiny)))

    @property
    def objectives(self) -> list[Objective]:
        """What the picture of each cell maximizes, row by row."""
        rows = self.vectors.reshape(-1, self.vectors.shape[-1])
        lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return [direction(self.layer, row, power=POWER) for row in rows / lengths]

    def to_pil(self) -> "Image":
        """The pictures side by side, each as large as its activation is long, on nothing.

        Raises:
          FeatvizError: if they are not drawn.
        """
        from PIL import Image

        if self.pictures is None:
            raise FeatvizError("the grid has no pictures; expected one of fv.activation_grid")
        rows, columns, height, width = self.pictures.shape[:4]
        sheet, sides = Image.new("RGBA", (columns * width, rows * height)), self.sides
        for row, column in np.ndindex(rows, columns):
            share = sides[row, column]
            size = (max(round(width * share), 1), max(round(height * share), 1))
            left, top = column * width + (width - size[0]) // 2, row * height + (height - size[1]) // 2
            if share > 0:
                sheet.paste(Image.fromarray(resize_to(self.pictures[row, column], size)), (left, top))
        return sheet


def activation_grid(
    model: Model,
    image: np.ndarray | Picture,
    layer: str,
    *,
    size: int = CELL,
    steps: int = STEPS,
    cells: int = MAX_CELLS,
    progress: bool = True,
) -> ActivationGrid:
    """Every place of a layer as a picture: what maximizes the direction of the activation that is there.

    All cells are drawn side by side, as the lanes of one run.

    Args:
      model: the network.
      image: (height, width, channels) in [0,1], or a Picture.
      layer: the name of a layer.
      size: the side of a cell's picture in pixels, at most the network's own; a network that takes only its own size
        draws at that.
      steps: steps of each.
      cells: the most cells; where a layer has more positions, each cell is of several, and its activation their mean.
      progress: whether to show a bar.

    Raises:
      FeatvizError: for an unknown layer, an image that does not fit, or a number out of its range.

    References:
      Olah et al. 2018, The Building Blocks of Interpretability.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((64, 64, 3), np.float32)
    >>> grid = fv.activation_grid(fv.load("patterns"), photo, "mixed4a", size=32, steps=2, cells=4, progress=False)
    >>> grid.pictures.shape, grid.to_pil().size
    ((2, 2, 32, 32, 3), (64, 64))
    """
    pixels = check_image("image", image, model)
    model.layer(layer)
    size, cells = check_count("size", size, SMALLEST_SIZE, LARGEST_SIZE), check_count("cells", cells, 1, 10_000)
    grid = ActivationGrid(layer, cell_vectors(observe(model, pixels, layer), cells, model.input.size))
    return draw_cells(model, grid, size=size, steps=steps, progress=progress)


def grid_address(files: PictureFiles, layer: str, activation: Float[np.ndarray, "*positions units"]) -> str:
    """The file of the grid of a layer's activation in a folder of explanations."""
    shown = {"layer": layer, "activation": activation, "cells": MAX_CELLS, "size": CELL, "steps": STEPS, "power": POWER}
    return f"{files.folder}grid-{digest(shown)[:DIGITS]}.webp"


def write_grid(
    model: Model,
    layer: str,
    activation: Float[np.ndarray, "*positions units"],
    folder: Path,
    files: PictureFiles,
    *,
    progress: bool,
) -> None:
    """Draws the grid of a layer's activation, if the folder lacks it."""
    path = folder / grid_address(files, layer, activation)
    if not path.is_file():
        grid = ActivationGrid(layer, cell_vectors(activation, MAX_CELLS, model.input.size))
        drawn = draw_cells(model, grid, size=CELL, steps=STEPS, progress=progress)
        write_if_changed(path, encode_webp(drawn.to_pil(), quality=QUALITY))


def cell_vectors(
    activation: Float[np.ndarray, "*positions units"], cells: int, size: tuple[int, int]
) -> Float[np.ndarray, "r c units"]:
    """The activations of at most `cells` cells: of squares of positions, of which the last ones may be cut.

    Args:
      activation: of one photo.
      cells: how many at most.
      size: (height, width) of the photo as the network gets it.

    >>> cell_vectors(np.arange(16.0).reshape(4, 4, 1), 4, (32, 32))[..., 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    grid = grid_of(activation.shape, size)
    maps = activation.reshape(-1, activation.shape[-1])[grid.skipped :].reshape(grid.rows, grid.columns, -1)
    side = next(s for s in range(1, max(maps.shape[:2]) + 1) if -(-grid.rows // s) * -(-grid.columns // s) <= cells)
    rows, columns = (np.arange(0, length, side) for length in maps.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(maps, rows, axis=0), columns, axis=1)
    heights, widths = (
        np.diff([*starts, length]) for starts, length in zip((rows, columns), maps.shape[:2], strict=True)
    )
    return sums / (heights[:, None] * widths)[..., None]


def draw_cells(model: Model, grid: ActivationGrid, *, size: int, steps: int, progress: bool) -> ActivationGrid:
    """The grid with its pictures; cells where nothing is stay black."""
    shown = np.flatnonzero(grid.sides.reshape(-1) > 0)
    objectives = grid.objectives
    chosen = [objectives[index] for index in shown]
    pictures: dict[int, np.ndarray] = {}
    side = drawn_size(model, size)
    for index, picture in render_each(model, chosen, size=side, steps=steps, progress=progress):
        pictures[int(shown[index])] = np.asarray(picture.preview().convert("RGB"))
    blank = np.zeros_like(next(iter(pictures.values()), np.zeros((*side, 3), np.uint8)))
    cells = [pictures.get(index, blank) for index in range(len(objectives))]
    return ActivationGrid(grid.layer, grid.vectors, np.stack(cells).reshape(*grid.vectors.shape[:2], *blank.shape))
