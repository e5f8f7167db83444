"""The user's own photographs on a map: where the activations at their positions would lie."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from featviz.activation_atlas.map_positions import high_norms
from featviz.common.bands import shown_bands
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.pages.page_images import fit_cell, resize_to
from featviz.rendering.observe import observe
from featviz.surveys.photos import PhotoInput, prepare, some_photos
from featviz.surveys.receptive_fields import grid_of

# Photographs, at most, and pixels of their longer side on the page.
MOST, SIDE = 24, 128
# An activation lies at the mean place of the map's activations of the smallest angles to it.
NEAREST = 5


class OwnPhoto(NamedTuple):
    """A photograph on the map.

    Args:
      name: its file's.
      pixels: a small picture of it.
      places: of its activations, in the unit square, y upwards.
    """

    name: str
    pixels: UInt8[np.ndarray, "h w 3"]
    places: Float[np.ndarray, "rows 2"]


def place_photos(
    model: Model,
    layer: str,
    photos: PhotoInput,
    values: Float[np.ndarray, "rows units"],
    places: Float[np.ndarray, "rows 2"],
    center: Float[np.ndarray, " units"],
) -> list[OwnPhoto]:
    """Where all positions of photographs lie on a map, those of class tokens and of high norm left out.

    Args:
      model: the network.
      layer: the map's.
      photos: a folder or a list, of which at most 24 are placed.
      values: the map's activations.
      places: theirs.
      center: what directions are meant from.

    Raises:
      FeatvizError: for a photograph that cannot be read.
    """
    placed = []
    for name, image, _ in some_photos(photos, MOST).items(0):
        photo = prepare(name, image, model.input.size, model.input.channels)
        if photo.pixels is None:
            raise FeatvizError(f"`own_photos`: `{name}` cannot be read: {photo.fault}")
        whole = observe(model, photo.pixels.astype(np.float32) / np.float32(255), layer)
        rows = whole.reshape(-1, whole.shape[-1])[
            grid_of(whole.shape, model.input.size).skipped if whole.ndim == 2 else 0 :
        ]
        rows = rows[~high_norms(rows)] if whole.ndim == 2 else rows
        shown = shown_bands(photo.pixels, model.input.rgb)
        size = fit_cell(shown.shape[1], shown.shape[0], side=SIDE)
        found = nearest_places(rows - center, values - center, places)
        placed.append(OwnPhoto(name, resize_to(shown, size), found))
    return placed


def nearest_places(
    rows: Float[np.ndarray, "own units"], values: Float[np.ndarray, "rows units"], places: Float[np.ndarray, "rows 2"]
) -> Float[np.ndarray, "own 2"]:
    """The mean places of the five values of the smallest angles to each row, the nearer ones weighing more.

    A mean of all five may lie between two regions where nothing is; so those far from the nearest one do not count.

    >>> values, places = np.eye(2), np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> nearest_places(np.array([[5.0, 0.0]]), values, places).tolist()
    [[0.0, 0.0]]
    """
    units, others = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (rows, values))
    cosines = units @ others.T
    count = min(NEAREST, len(values))
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    near = places[order]
    weights = np.maximum(np.take_along_axis(cosines, order, axis=1), 1e-6)
    # A tenth of the map around the nearest one.
    weights = weights * (np.linalg.norm(near - near[:, :1], axis=-1) <= 0.1)
    return ((near * weights[..., None]).sum(1) / weights.sum(1, keepdims=True)).astype(np.float32)
