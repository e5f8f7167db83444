"""The positions of a layer, its interior ones, and its units' receptive field in pixels."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.model import Model, Weights, before_relu
from featviz.model.shapes import shapes_at
from featviz.surveys.token_grids import token_grid

# The share of the gradient's energy within the receptive field: influence falls off like a Gaussian, so the effective
# field is well inside the theoretical one (Luo et al. 2016, Effective Receptive Fields).
ENERGY = 0.96

# (left, top, right, bottom) in pixels.
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Grid:
    """The positions of a layer's activations: rows x columns, after `skipped` tokens without a location in the image.

    A layer of shape (c,) has one position, the whole image; a transformer's (tokens, c) skips its class token and
    registers.
    """

    rows: int
    columns: int
    skipped: int = 0

    @property
    def margin(self) -> tuple[int, int]:
        """Rows and columns omitted at each edge, where units respond to zero padding: an eighth, at least one."""
        tall, wide = (0 if side < 4 or self.skipped else max(1, side // 8) for side in (self.rows, self.columns))
        return tall, wide


def grid_of(shape: tuple[int, ...], size: tuple[int, int]) -> Grid:
    """The grid of an activation's shape without its batch: (h, w, c), (tokens, c) or (c,).

    Args:
      shape: of the layer.
      size: (height, width) of the images in pixels, whose proportions the grid of tokens has.

    >>> square = (224, 224)
    >>> grid_of((14, 14, 512), square).margin, grid_of((197, 192), square), grid_of((1000,), square)
    ((1, 1), Grid(rows=14, columns=14, skipped=1), Grid(rows=1, columns=1, skipped=0))
    """
    if len(shape) == 3:
        return Grid(shape[0], shape[1])
    if len(shape) == 2:
        rows, columns = token_grid(shape[0], size)
        return Grid(rows, columns, shape[0] - rows * columns)
    return Grid(1, 1)


def by_position(activation: Float[Array, "n *positions c"], size: tuple[int, int]) -> Float[Array, "n grid c"]:
    """A batch's activations by position of the grid; tokens without a location in the image are omitted.

    Args:
      activation: of a layer.
      size: (height, width) of the images.

    >>> [by_position(jnp.zeros(shape), (8, 8)).shape for shape in ((1, 4, 5, 2), (1, 5, 2), (1, 2))]
    [(1, 20, 2), (1, 4, 2), (1, 1, 2)]
    """
    skipped = grid_of(activation.shape[1:], size).skipped if activation.ndim == 3 else 0
    located = activation[:, skipped:] if skipped else activation
    return located.reshape(located.shape[0], -1, located.shape[-1])


def interior(
    activation: Float[Array, "n *positions c"], size: tuple[int, int]
) -> tuple[Float[Array, "n interior c"], Int[Array, " interior"]]:
    """A batch's activations at interior positions, and these positions, row * columns + column of the grid.

    Args:
      activation: of a layer.
      size: (height, width) of the images.

    >>> values, positions = interior(jnp.zeros((1, 4, 5, 2)), (32, 40))
    >>> values.shape, positions.tolist()
    ((1, 6, 2), [6, 7, 8, 11, 12, 13])
    """
    shape = activation.shape[1:]
    if len(shape) > 3:
        raise ValueError(f"`activation` has shape {activation.shape}; expected two to four axes")
    grid = grid_of(shape, size)
    tall, wide = grid.margin
    maps = by_position(activation, size).reshape(activation.shape[0], grid.rows, grid.columns, shape[-1])
    inside = maps[:, tall : grid.rows - tall, wide : grid.columns - wide]
    positions = np.arange(grid.rows * grid.columns, dtype=np.int32).reshape(grid.rows, grid.columns)
    positions = positions[tall : grid.rows - tall, wide : grid.columns - wide]
    return inside.reshape(inside.shape[0], -1, shape[-1]), jnp.asarray(positions.reshape(-1))


def largest_activations(
    activation: Float[Array, "n *positions units"], size: tuple[int, int]
) -> tuple[Float[Array, "n units"], Int[Array, "n units"]]:
    """Each unit's largest activation over interior positions, and its position.

    The first of equal positions; the middle one of a constant map, such as a silent unit's.

    Args:
      activation: of a layer.
      size: (height, width) of the images.

    >>> rows = jnp.arange(5.0).reshape(1, 5, 1, 1) * jnp.ones((1, 5, 5, 1))
    >>> values, positions = largest_activations(rows, (40, 40))
    >>> float(values[0, 0]), int(positions[0, 0])
    (3.0, 16)
    """
    values, positions = interior(activation, size)
    top = values.max(1)
    # Two plain reductions: XLA's argmax on a CPU is many times slower.
    order = jnp.arange(values.shape[1], dtype=jnp.int32)[None, :, None]
    first = jnp.where(values == top[:, None], order, values.shape[1] - 1).min(1)
    constant = values.min(1) == top
    return top, positions[jnp.where(constant, values.shape[1] // 2, first)]


def box_around(position: int, grid: Grid, receptive_field: int, size: tuple[int, int]) -> Box:
    """The receptive field at a position, moved inside the image; the whole image along an axis where it is smaller.

    Args:
      position: row * columns + column.
      grid: of the layer.
      receptive_field: its side in pixels.
      size: (height, width) of the image.

    Returns: (left, top, right, bottom) in pixels.

    >>> box_around(0, Grid(14, 14), 112, (224, 224)), box_around(105, Grid(14, 14), 112, (224, 224))
    ((0, 0, 112, 112), (64, 64, 176, 176))
    """
    row, column = divmod(int(position), grid.columns)
    edges = []
    for index, count, length in ((column, grid.columns, size[1]), (row, grid.rows, size[0])):
        extent = min(receptive_field, length)
        start = round((index + 0.5) * length / count - extent / 2)
        edges.append((min(max(start, 0), length - extent), extent))
    (left, wide), (top, tall) = edges
    return left, top, left + wide, top + tall


def receptive_fields(model: Model, images: Float[np.ndarray, "n h w c"], layers: tuple[str, ...]) -> dict[str, int]:
    """The side in pixels of each layer's effective receptive field, measured by gradients.

    The smallest square around a middle position that holds `ENERGY` of the squared gradient of that position's
    units, each with a random sign, with respect to the image; at most the image's shorter side.

    Args:
      model: the network.
      images: in [0,1], over which the energy is summed.
      layers: their names.
    """

    # Of these images, which need not have the size of the training.
    size = (images.shape[1], images.shape[2])
    # Most latents are 0 at a position and have no gradient there; their pre-activation has one.
    read = tuple(before_relu(layer) if model.layer(layer).latents else layer for layer in layers)

    @jax.jit
    def energies(weights: Weights, images: jax.Array) -> jax.Array:
        def middles(images: jax.Array) -> jax.Array:
            activations = model.apply(weights, images, layers=read)
            return jnp.stack([_middle(activations[layer], size) for layer in read])

        # One backward pass for all layers, not one compiled for each.
        _, pull = jax.vjp(middles, images)
        (gradients,) = jax.vmap(pull)(jnp.eye(len(layers), dtype=images.dtype))
        return jnp.sum(jnp.square(gradients), axis=(1, 4))

    energy_maps = np.asarray(energies(model.weights, images), np.float64)
    shapes = shapes_at(model, tuple(layers), size)
    grids = [grid_of(shapes[layer], size) for layer in layers]
    sides = [_smallest_square(energy, grid) for energy, grid in zip(energy_maps, grids, strict=True)]
    return dict(zip(layers, sides, strict=True))


def _middle(activation: jax.Array, size: tuple[int, int]) -> jax.Array:
    """The units of a middle position of all images, summed with random signs."""
    grid = grid_of(activation.shape[1:], size)
    maps = by_position(activation, size)
    signs = jax.random.rademacher(jax.random.key(0), (1, maps.shape[-1]), dtype=maps.dtype)
    return jnp.sum(maps[:, grid.rows // 2 * grid.columns + grid.columns // 2] * signs)


def _smallest_square(energy: Float[np.ndarray, "h w"], grid: Grid) -> int:
    """The side of the smallest square around the middle position that holds `ENERGY` of a map of energies."""
    rows, columns = (
        np.abs(np.arange(side) + 0.5 - (count // 2 + 0.5) * side / count)
        for side, count in zip(energy.shape, (grid.rows, grid.columns), strict=True)
    )
    distance = np.maximum(rows[:, None], columns[None, :]).ravel()
    order = np.argsort(distance, kind="stable")
    share = np.cumsum(energy.ravel()[order])
    if not share[-1] > 0:  # no pixel has influence on these units: the whole image
        return min(energy.shape)
    radius = distance[order][np.searchsorted(share, ENERGY * share[-1])]
    # From a pixel's center to its edge on either side; a distance such as 1.0000000002 is 1.
    return int(min(math.ceil(2 * radius + 1 - 1e-6), *energy.shape))
