"""The places of a map's activations, kept with where in which photograph each is: another map may go by them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.activation_atlas.class_activations import MapContents
from featviz.activation_atlas.kept_classes import positions_key
from featviz.activation_atlas.map_layout import LayoutSettings, lay_out
from featviz.activation_atlas.map_positions import MapPositions
from featviz.activation_atlas.map_store import ACTIVATIONS, read_arrays, read_map, write_arrays
from featviz.activation_atlas.whitening import Moments
from featviz.atlas.atlas_store import Store
from featviz.common.canonical import digest
from featviz.dictionaries.fitting.activation_store import open_activations
from featviz.errors import FeatvizError
from featviz.surveys.receptive_fields import Grid

# The attribute of the store that says which layout the page has, and what it is of.
SHOWN = "shown"


class PlacedActivations(NamedTuple):
    """The activations of a map that is laid out.

    Args:
      places: on the map, in the unit square, y upwards.
      photo: the photograph of each.
      where: the middle of its position in the photograph, rows and columns, each from 0 to 1.
      title: what the map is of.
    """

    places: Float[np.ndarray, "rows 2"]
    photo: Int[np.ndarray, " rows"]
    where: Float[np.ndarray, "rows 2"]
    title: str


def kept_places(
    store: Store,
    contents: MapContents,
    moments: Moments,
    grid: Grid,
    *,
    layout: str,
    settings: LayoutSettings,
    title: str,
    guide: PlacedActivations | None = None,
) -> tuple[Float[np.ndarray, "rows 2"], bool]:
    """The layout, from the store if it has it; it is that of the page from now on.

    Args:
      store: of the map.
      contents: the activations.
      moments: of the layer.
      grid: its positions.
      layout: `umap` or `pca`.
      settings: of UMAP.
      title: what the map is of.
      guide: another map that this one is to go by.

    Returns:
      The places, and whether the page has had another layout.
    """
    positions = contents.positions
    followed = None if guide is None else follow(positions, grid, guide)
    described = [positions_key(positions), list(settings), contents.contrast]
    key = digest(described if followed is None else [*described, followed])
    name = f"{layout}-{key[:16]}"
    found = read_arrays(store, name)
    if found is None or "photo" not in found:
        values = positions.values - moments.center
        places = (
            lay_out(values, layout=layout, settings=settings, contrast=contents.contrast, guide=followed)
            if found is None
            else found["places"]
        )
        found = {"places": places, "photo": positions.photo, "where": where_in_photos(positions.position, grid)}
        write_arrays(store, name, found)
    before, shown = store.group.attrs.get(SHOWN), {"layout": name, "title": title}
    if before != shown:
        store.group.attrs[SHOWN] = shown
    return found["places"], before is not None and before["layout"] != name


def where_in_photos(position: Int[np.ndarray, " rows"], grid: Grid) -> Float[np.ndarray, "rows 2"]:
    """The middles of positions in their photographs, rows and columns, each from 0 to 1.

    >>> where_in_photos(np.array([1, 4]), Grid(2, 2, skipped=1)).tolist()
    [[0.25, 0.25], [0.75, 0.75]]
    """
    row, column = np.divmod(position - grid.skipped, grid.columns)
    return np.stack([(row + 0.5) / grid.rows, (column + 0.5) / grid.columns], 1).astype(np.float32)


def follow(positions: MapPositions, grid: Grid, guide: PlacedActivations) -> Float[np.ndarray, "rows 2"]:
    """Of each activation, the place on another map of the nearest activation of the same photograph.

    Where the other map has none of a photograph, that is the middle of all.

    Args:
      positions: the activations.
      grid: the layer's positions.
      guide: the other map.
    """
    where = where_in_photos(positions.position, grid)
    places = np.repeat(guide.places.mean(0, keepdims=True), len(where), 0).astype(np.float32)
    for photo in np.intersect1d(positions.photo, guide.photo):
        own, other = np.flatnonzero(positions.photo == photo), np.flatnonzero(guide.photo == photo)
        apart = np.square(where[own][:, None] - guide.where[other][None]).sum(-1)
        places[own] = guide.places[other[apart.argmin(1)]]
    return places


def read_placed(folder: Path) -> PlacedActivations:
    """The activations of a map as its page has them.

    Raises:
      FeatvizError: if the folder holds no map that is laid out.
    """
    store = read_map(folder)
    shown = store.group.attrs.get(SHOWN) or {"layout": "", "title": ""}
    found = read_arrays(store, shown["layout"])
    if found is None or "photo" not in found:
        raise FeatvizError(
            f"`aligned_with`: `{folder}` has no layout yet, or one of an earlier version; expected that its own "
            "command has run again"
        )
    return PlacedActivations(found["places"], found["photo"], found["where"], shown["title"])


def check_same_photos(folder: Path, guide: Path) -> None:
    """Refuses to align maps of different photographs, whose activations do not correspond.

    Raises:
      FeatvizError: if they are of different ones.
    """
    first, second = (open_activations(each / ACTIVATIONS).attributes["images"] for each in (folder, guide))
    if first != second:
        raise FeatvizError(f"`aligned_with`: `{guide}` is of other photos; expected a map of the same ones")
