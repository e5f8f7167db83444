"""The statistics of photographs that VITAL matches: sorted activations, and the importance of units for another."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights
from featviz.objectives.positions import position_rows
from featviz.objectives.sorted_values import resample
from featviz.surveys.photos import PhotoInput, find_photos, read_ahead
from featviz.surveys.receptive_fields import Box, Grid, box_around
from featviz.surveys.reduction import BATCH, batches, grid_at, maxima_of
from featviz.surveys.statistics import halves, top_photos
from featviz.surveys.survey import Survey
from featviz.surveys.unit_relevance import relevance_program

# A survey of photographs, a folder of them, or the images themselves.
References: TypeAlias = "Survey | PhotoInput"
Images = Sequence[UInt8[np.ndarray, "h w c"]]
# Layer -> sorted values, (ranks, units), and the importance of each unit.
Targets = dict[str, tuple[Float[np.ndarray, "ranks units"], Float[np.ndarray, " units"]]]


def read_photos(model: Model, photos: PhotoInput, *, limit: int | None = None) -> list[UInt8[np.ndarray, "h w c"]]:
    """Photographs as a network gets them; unreadable ones are left out.

    Raises: FeatvizError if none is left.
    """
    found: list[np.ndarray] = []
    for batch in read_ahead(find_photos(photos), model.input.size, channels=model.input.channels, batch=BATCH):
        found += [photo.pixels for photo in batch if photo.pixels is not None]
        if limit is not None and len(found) >= limit:
            break
    if not found:
        raise FeatvizError("`references` has no photograph that can be read; expected images of the class or the unit")
    return found[:limit]


def best_photos(model: Model, layer: str, unit: int, references: References, *, count: int) -> Images:
    """The photographs on which a unit is most active, the most active first."""
    if isinstance(references, Survey):
        half_a, _ = halves(references)
        return [references.photo(index) for index in top_photos(references.maxima(layer, units=unit), half_a, count)]
    photos = read_photos(model, references)
    parts = [np.asarray(maxima_of(model, batch, (layer,))[layer][0])[:valid] for valid, batch in batches(photos)]
    order = np.argsort(-np.concatenate(parts)[:, unit], kind="stable")
    return [photos[index] for index in order[:count]]


def class_targets(model: Model, layers: Sequence[str], images: Images) -> Targets:
    """The mean over images of sorted activations, every unit of importance 1."""
    sums: dict[str, Any] = dict.fromkeys(layers, 0.0)
    for valid, batch in batches(images, count=min(BATCH, len(images))):
        found = compiled(_activations(model.apply, tuple(layers)), model.weights, batch)(model.weights, batch)
        for layer in layers:
            sums[layer] = sums[layer] + np.sort(np.asarray(found[layer])[:valid], axis=1).sum(0)
    return {layer: (sums[layer] / len(images), np.ones(sums[layer].shape[1], np.float32)) for layer in layers}


def channel_targets(
    model: Model, layers: Sequence[str], layer: str, unit: int, images: Images, *, side: int
) -> Targets:
    """The mean over images of sorted activations within a unit's receptive field, and the importance of each unit.

    Args:
      model: the network.
      layers: the names of layers that `layer` is computed from, or `layer` itself.
      layer: the unit's.
      unit: its index.
      images: on which it is active, of one size.
      side: of its receptive field, which lies where it is most active.
    """
    run = relevance_program(model.apply, tuple(layers), layer)
    size = images[0].shape[:2]
    grids = {name: grid_at(model, name, size) for name in (*layers, layer)}
    sums: dict[str, Any] = dict.fromkeys(layers, 0.0)
    largest: dict[str, Any] = dict.fromkeys(layers, 0.0)
    for valid, batch in batches(images, count=min(BATCH, len(images))):
        places = np.asarray(maxima_of(model, batch, (layer,))[layer][1])[:valid, unit]
        boxes = [box_around(place, grids[layer], side, size) for place in places]
        found = compiled(run, model.weights, batch, np.int32(unit))(model.weights, batch, np.int32(unit))
        for name, (h, relevance) in found.items():
            grid, rows = grids[name], np.asarray(h)[:valid]
            rows = rows[:, grid.skipped :]
            for box, activations in zip(boxes, rows, strict=True):
                ranked = np.sort(activations[positions_within(box, grid, size)], axis=0)
                sums[name] = sums[name] + np.asarray(resample(jnp.asarray(ranked.T), len(activations))).T
            largest[name] = largest[name] + np.asarray(relevance)[:valid].max(1).sum(0)
    targets: Targets = {}
    for name in layers:
        low, high = float(largest[name].min()), float(largest[name].max())
        importance = (largest[name] - low) / (high - low) if high > low else np.ones_like(largest[name])
        targets[name] = sums[name] / len(images), importance.astype(np.float32)
    return targets


def positions_within(box: Box, grid: Grid, size: tuple[int, int]) -> Int[np.ndarray, " positions"]:
    """The positions of a layer whose centers lie in a box; the nearest one if there is none.

    >>> positions_within((0, 0, 4, 8), Grid(2, 2), (8, 8)).tolist()
    [0, 2]
    """
    left, top, right, bottom = box
    rows, columns = (
        (np.arange(count) + 0.5) * length / count for count, length in ((grid.rows, size[0]), (grid.columns, size[1]))
    )

    def inside(centers: np.ndarray, start: int, end: int) -> np.ndarray:
        chosen = np.flatnonzero((centers >= start) & (centers <= end))
        return chosen if len(chosen) else np.array([np.abs(centers - (start + end) / 2).argmin()])

    return (inside(rows, top, bottom)[:, None] * grid.columns + inside(columns, left, right)[None]).ravel()


@kept_with_owner(maxsize=8)
def _activations(apply: Apply, layers: tuple[str, ...]) -> Callable[..., dict[str, jax.Array]]:
    def activations(weights: Weights, images: jax.Array) -> dict[str, jax.Array]:
        found = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=layers)
        return {layer: position_rows(found[layer]) for layer in layers}

    return jax.jit(activations)
