"""A map of a dictionary's latents: decoder rows laid out in the plane, each in a cell of its own.

UMAP (McInnes et al. 2018) by umap-learn where it is installed (`featviz[maps]`), with the cosine as distance, as the
maps of DinoVision have it; the first two principal components otherwise. What lies together on the map points in
similar directions; distances between far groups mean little.
"""

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

# Fewer rows than this have no neighborhoods worth a UMAP.
MIN_UMAP = 8
NEIGHBORS, MIN_DISTANCE = 15, 0.1
# Rows whose cosines are computed at a time.
BLOCK = 512
# Cells along a side per square root of the number of points, and parts of a cell that a point's place tells apart.
SPARSITY, PARTS = 4, 16


class LatentMap(NamedTuple):
    """Where each latent lies.

    Attributes:
      method: "UMAP" or "PCA".
      side: cells along each side of the square map.
      points: column and row of each latent from the upper left corner, in sixteenths of a cell. No two are in one cell.
    """

    method: str
    side: int
    points: Int[np.ndarray, "latents 2"]


def lay_out(directions: Float[np.ndarray, "latents units"], *, seed: int = 0) -> LatentMap:
    """The map of a dictionary's latents.

    Args:
      directions: the decoder's rows, `Dictionary.directions`; their lengths do not matter.
      seed: of UMAP; one seed gives one map on one machine.

    >>> lay_out(np.eye(3, 5)).points.shape
    (3, 2)
    """
    known = np.where(np.isfinite(directions), directions, 0).astype(np.float32)
    norms = np.linalg.norm(known, axis=1, keepdims=True)
    rows = known / np.where(norms > 0, norms, np.float32(1))
    if len(rows) >= MIN_UMAP and find_spec("umap") is not None:
        method, places = "UMAP", _umap(rows, seed)
    else:
        method, places = "PCA", first_components(rows)
    side = 1 << max(int(np.ceil(np.log2(SPARSITY * np.sqrt(max(len(rows), 1))))), 3)
    return LatentMap(method, side, settle(_fitted(places), side))


def _umap(rows: Float[np.ndarray, "n units"], seed: int) -> Float[np.ndarray, "n 2"]:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that one seed means one thread, and, as it is imported, that TensorFlow is absent
        from umap import UMAP

        count = min(NEIGHBORS, len(rows) - 1)
        fit = UMAP(
            n_neighbors=count,
            min_dist=MIN_DISTANCE,
            metric="cosine",
            random_state=seed,
            # Its own search is compiled for half a minute first.
            precomputed_knn=nearest(rows, count),
            force_approximation_algorithm=True,
        )
        places = np.asarray(fit.fit_transform(rows), np.float64)
    # Rows of zeros may have no place: the middle of the others.
    known = np.asarray(np.isfinite(places).all(axis=1))
    middle = places[known].mean(axis=0) if known.any() else np.zeros(2)
    return np.where(known[:, None], places, middle)


def nearest(
    rows: Float[np.ndarray, "n units"], count: int
) -> tuple[Int[np.ndarray, "n count"], Float[np.ndarray, "n count"]]:
    """The rows of length 1 nearest to each by the cosine, itself first, and 1 - cosine of each.

    >>> found, distances = nearest(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), 2)
    >>> found.tolist(), distances.astype(float).round(6).tolist()
    ([[0, 2], [1, 2], [2, 1]], [[0.0, 0.4], [0.0, 0.2], [0.0, 0.2]])
    """
    found, distances = np.empty((len(rows), count), np.int64), np.zeros((len(rows), count), np.float32)
    for start in range(0, len(rows), BLOCK):
        cosines = rows[start : start + BLOCK] @ rows.T
        block = np.arange(len(cosines))
        cosines[block, start + block] = np.inf
        largest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(cosines, largest, 1)
        order = np.argsort(-values, axis=1, kind="stable")
        found[start + block] = np.take_along_axis(largest, order, 1)
        distances[start + block, 1:] = np.clip(1 - np.take_along_axis(values, order, 1)[:, 1:], 0, None)
    return found, distances


def first_components(rows: Float[np.ndarray, "n units"]) -> Float[np.ndarray, "n 2"]:
    """The rows along their first two principal components, each with its largest weight positive.

    >>> first_components(np.array([[0.0, 0, 0], [0, 2, 0], [0, 4, 0]])).round(3).tolist()
    [[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0]]
    """
    centered = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    axes = vectors[:, ::-1][:, :2] * (values[::-1][:2] > 1e-12 * max(values[-1], 1e-300))
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=0, keepdims=True), 0))
    places = centered @ axes
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def _fitted(places: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Places scaled and shifted into the unit square, its middle theirs; both axes by one factor."""
    low, high = (places.min(axis=0), places.max(axis=0)) if len(places) else (np.zeros(2), np.zeros(2))
    span = max(float((high - low).max()), 1e-12)
    return (places - (low + high) / 2) / span + 0.5


def settle(places: Float[np.ndarray, "n 2"], side: int) -> Int[np.ndarray, "n 2"]:
    """Places in the unit square as points of a grid, each in a cell of its own: the nearest that is free.

    Points whose cell is free stay where they are, those of a taken cell move to the middle of another.

    Args:
      places: x and y in [0, 1].
      side: cells along each side; at least as many cells as places.

    Returns:
      x and y in sixteenths of a cell.

    >>> settle(np.array([[0.5, 0.5], [0.5, 0.5]]), 4).tolist()
    [[32, 32], [24, 40]]
    """
    scaled = np.clip(places * side, 0, side - 1 / PARTS)
    cells = scaled.astype(np.int64)
    points = np.floor(scaled * PARTS).astype(np.int64)
    taken, waiting = np.zeros(side * side, bool), np.arange(len(places))
    for offset in _spiral(side):
        wanted = cells[waiting] + offset
        inside = ((wanted >= 0) & (wanted < side)).all(axis=1)
        keys = np.where(inside, wanted[:, 1] * side + wanted[:, 0], 0)
        # The first that asks for a free cell gets it.
        free = np.flatnonzero(inside & ~taken[keys])
        _, first = np.unique(keys[free], return_index=True)
        settled = free[first]
        taken[keys[settled]] = True
        if offset.any():
            points[waiting[settled]] = wanted[settled] * PARTS + PARTS // 2
        waiting = np.delete(waiting, settled)
        if not len(waiting):
            break
    return points.astype(np.int32)


def _spiral(side: int) -> Iterator[Int[np.ndarray, "2"]]:
    """All offsets within a grid, the nearest first: ring by ring, since few points need the far ones."""
    inner, outer = -1, 16
    while inner < 2 * side * side:
        radius = min(outer, side - 1)
        line = np.arange(-radius, radius + 1)
        offsets = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
        squares = np.square(offsets).sum(axis=1)
        limit = outer * outer if outer < side else 2 * side * side
        chosen = np.flatnonzero((squares > inner) & (squares <= limit))
        yield from offsets[chosen[np.argsort(squares[chosen], kind="stable")]]
        inner, outer = limit, 4 * outer
