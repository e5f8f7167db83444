"""Where in an image a unit looks: the positions of a layer, its interior, and its receptive field in pixels."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from featviz.model import Model, Weights
from featviz.model.shapes import shapes_at

# Of the gradient's energy that the receptive field's square must hold: influence falls off like a Gaussian, so what
# counts is well inside the field in theory (Luo et al. 2016, Effective Receptive Fields).
ENERGY = 0.96

# (left, top, right, bottom) in pixels.
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Grid:
    """The positions of a layer's activations: rows x columns after `skipped` that have no place in the image.

    A layer of shape (c,) has one position, the whole image; a transformer's (tokens, c) skips its class token.
    """

    rows: int
    columns: int
    skipped: int = 0

    @property
    def margin(self) -> tuple[int, int]:
        """Rows and columns left out at each edge, where zero padding is what a unit sees: an eighth, at least one."""
        tall, wide = (0 if side < 4 or self.skipped else max(1, side // 8) for side in (self.rows, self.columns))
        return tall, wide


def grid_of(shape: tuple[int, ...]) -> Grid:
    """The grid of an activation's shape without its batch: (h, w, c), (tokens, c) or (c,).

    >>> grid_of((14, 14, 512)).margin, grid_of((197, 192)), grid_of((1000,))
    ((1, 1), Grid(rows=14, columns=14, skipped=1), Grid(rows=1, columns=1, skipped=0))
    """
    if len(shape) == 3:
        return Grid(shape[0], shape[1])
    if len(shape) == 2:
        side = math.isqrt(shape[0])
        return Grid(side, side, shape[0] - side * side)
    return Grid(1, 1)


def by_position(activation: jax.Array) -> jax.Array:
    """A batch's activations, (n, positions of the grid, c): tokens that have no place in the image are left out.

    >>> [by_position(jnp.zeros(shape)).shape for shape in ((1, 4, 5, 2), (1, 5, 2), (1, 2))]
    [(1, 20, 2), (1, 4, 2), (1, 1, 2)]
    """
    kept = activation[:, grid_of(activation.shape[1:]).skipped :] if activation.ndim == 3 else activation
    return kept.reshape(kept.shape[0], -1, kept.shape[-1])


def interior(activation: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A batch's activations at interior positions, (n, positions, c), and those positions' numbers, (positions,).

    A number is row * columns + column in the whole grid.

    >>> values, numbers = interior(jnp.zeros((1, 4, 5, 2)))
    >>> values.shape, numbers.tolist()
    ((1, 6, 2), [6, 7, 8, 11, 12, 13])
    """
    shape = activation.shape[1:]
    if len(shape) > 3:
        raise ValueError(f"`activation` has shape {activation.shape}; expected two to four axes")
    grid = grid_of(shape)
    tall, wide = grid.margin
    maps = by_position(activation).reshape(activation.shape[0], grid.rows, grid.columns, shape[-1])
    inside = maps[:, tall : grid.rows - tall, wide : grid.columns - wide]
    numbers = np.arange(grid.rows * grid.columns, dtype=np.int32).reshape(grid.rows, grid.columns)
    numbers = numbers[tall : grid.rows - tall, wide : grid.columns - wide]
    return inside.reshape(inside.shape[0], -1, shape[-1]), jnp.asarray(numbers.reshape(-1))


def largest(activation: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Each unit's largest activation over interior positions and where it is: two arrays of (n, units).

    Of equal positions the first; of a map that is the same everywhere, a silent unit's, the middle.

    >>> values, at = largest(jnp.arange(5.0).reshape(1, 5, 1, 1) * jnp.ones((1, 5, 5, 1)))
    >>> float(values[0, 0]), int(at[0, 0])
    (3.0, 16)
    """
    values, numbers = interior(activation)
    top = values.max(1)
    # Two plain reductions: XLA's argmax on a CPU is many times slower.
    order = jnp.arange(values.shape[1], dtype=jnp.int32)[None, :, None]
    first = jnp.where(values == top[:, None], order, values.shape[1] - 1).min(1)
    flat = values.min(1) == top
    return top, numbers[jnp.where(flat, values.shape[1] // 2, first)]


def box_around(number: int, grid: Grid, side: int, size: tuple[int, int]) -> Box:
    """The square of `side` px around a position, as (left, top, right, bottom), moved inside an image of `size`.

    An image smaller than the square along an axis is taken whole along it.

    >>> box_around(0, Grid(14, 14), 112, (224, 224)), box_around(105, Grid(14, 14), 112, (224, 224))
    ((0, 0, 112, 112), (64, 64, 176, 176))
    """
    row, column = divmod(int(number), grid.columns)
    edges = []
    for at, count, whole in ((column, grid.columns, size[1]), (row, grid.rows, size[0])):
        extent = min(side, whole)
        start = round((at + 0.5) * whole / count - extent / 2)
        edges.append((min(max(start, 0), whole - extent), extent))
    (left, wide), (top, tall) = edges
    return left, top, left + wide, top + tall


def receptive_fields(model: Model, images: np.ndarray, layers: tuple[str, ...]) -> dict[str, int]:
    """The side in pixels of each layer's effective receptive field, seen on some images, (n, h, w, c) in [0,1].

    The smallest square around a middle position that holds `ENERGY` of the squared gradient of that position's
    units, each with a random sign, with respect to the image; at most the image's shorter side.
    """

    @jax.jit
    def energies(weights: Weights, images: jax.Array) -> jax.Array:
        def middles(images: jax.Array) -> jax.Array:
            activations = model.apply(weights, images, layers=layers)
            return jnp.stack([_middle(activations[layer]) for layer in layers])

        # One pass back for all layers, not one compiled for each.
        _, pull = jax.vjp(middles, images)
        (gradients,) = jax.vmap(pull)(jnp.eye(len(layers), dtype=images.dtype))
        return jnp.sum(jnp.square(gradients), axis=(1, 4))

    found = np.asarray(energies(model.weights, images), np.float64)
    # At the size of these images, which need not be that of the training.
    made = shapes_at(model, tuple(layers), images.shape[1:3])
    grids = [grid_of(made[layer]) for layer in layers]
    return {layer: _side(energy, grid) for layer, energy, grid in zip(layers, found, grids, strict=True)}


def _middle(activation: jax.Array) -> jax.Array:
    """The units of a middle position of all images, summed with random signs."""
    grid = grid_of(activation.shape[1:])
    maps = by_position(activation)
    signs = jax.random.rademacher(jax.random.key(0), (1, maps.shape[-1]), dtype=maps.dtype)
    return jnp.sum(maps[:, grid.rows // 2 * grid.columns + grid.columns // 2] * signs)


def _side(energy: np.ndarray, grid: Grid) -> int:
    """The side of the square that holds `ENERGY` of a map of energies, (h, w), around its middle position."""
    rows, columns = (
        np.abs(np.arange(side) + 0.5 - (count // 2 + 0.5) * side / count)
        for side, count in zip(energy.shape, (grid.rows, grid.columns), strict=True)
    )
    away = np.maximum(rows[:, None], columns[None, :]).ravel()
    order = np.argsort(away, kind="stable")
    share = np.cumsum(energy.ravel()[order])
    if not share[-1] > 0:  # nothing moves these units: there is nothing to look at but all of it
        return min(energy.shape)
    radius = away[order][np.searchsorted(share, ENERGY * share[-1])]
    # From a pixel's middle to its edge on either side; a distance such as 1.0000000002 is 1.
    return int(min(math.ceil(2 * radius + 1 - 1e-6), *energy.shape))
