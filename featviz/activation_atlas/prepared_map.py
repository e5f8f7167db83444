"""All of a map but its pictures: activations, their classes, their places; by one run at a time."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from featviz.activation_atlas.class_activations import MapContents, select_activations
from featviz.activation_atlas.kept_classes import kept_classes
from featviz.activation_atlas.kept_places import PlacedActivations, check_same_photos, kept_places, read_placed
from featviz.activation_atlas.map_layout import CLASS_MIN_DIST, CLASS_NEIGHBORS, LayoutSettings
from featviz.activation_atlas.map_positions import sample_positions
from featviz.activation_atlas.map_store import ACTIVATIONS, check_map_folder, open_map
from featviz.activation_atlas.map_subject import MapSubject
from featviz.activation_atlas.whitening import Moments, measure_moments
from featviz.atlas.atlas_store import Store
from featviz.atlas.locks import creation_lock
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.model.shapes import shapes_at
from featviz.surveys.photos import Source
from featviz.surveys.receptive_fields import grid_of


@dataclass(frozen=True)
class MapSource:
    """The network, its layer and the photographs that a map is of."""

    model: Model
    layer: str
    photos: Source
    per_photo: int
    seed: int
    progress: bool


class LayoutChoice(NamedTuple):
    """How a map is laid out: `umap` or `pca`, and the folder of another map that it goes by, or None."""

    name: str
    guide: Path | None


class PreparedMap(NamedTuple):
    """A map without its pictures.

    Args:
      store: where it is kept.
      contents: the activations and their classes.
      moments: of the whole layer.
      signed: whether directions are meant from the mean.
      settings: of UMAP.
      places: of the activations.
      title: what the map is of.
      guide: what the map is of that this one goes by; "" for none.
      moved: whether the page has had another layout.
    """

    store: Store
    contents: MapContents
    moments: Moments
    signed: bool
    settings: LayoutSettings
    places: Float[np.ndarray, "rows 2"]
    title: str
    guide: str
    moved: bool


def prepare_map(
    source: MapSource, folder: Path, subject: MapSubject, names: dict[int, str], layout: LayoutChoice
) -> PreparedMap:
    """Samples activations, attributes classes and lays out, or reads what the folder has of it.

    Another run in the same folder, such as that of another shard, waits meanwhile, and finds it.

    Args:
      source: the network, its layer and the photographs.
      folder: of the map.
      subject: what it is of.
      names: of the subject's classes.
      layout: how it is laid out.

    Raises:
      FeatvizError: for a folder that holds something else, photographs of which none can be read, a class that hardly
        any activation speaks for, or a map to go by that is of other photographs.
    """
    model, layer = source.model, source.layer
    classes = " rather than ".join(names.values())
    title = f"{layer} of {model.name}" + (f", {classes}" if classes else "")
    shape = shapes_at(model, (layer,), model.input.size)[layer]
    settings = LayoutSettings(source.seed)
    if subject.of is not None:
        settings = settings._replace(neighbors=CLASS_NEIGHBORS, min_dist=CLASS_MIN_DIST)
    check_map_folder(folder)
    guide = None if layout.guide is None else _read_guide(folder, layout.guide, subject)
    with creation_lock(folder, on_wait=lambda: _report_waiting(folder)):
        store = open_map(folder)
        whole = sample_positions(
            model,
            layer,
            source.photos,
            folder / ACTIVATIONS,
            per_photo=source.per_photo,
            seed=source.seed,
            tokens=len(shape) == 2,
            progress=source.progress,
        )
        if layout.guide is not None:
            check_same_photos(folder, layout.guide)
        moments = measure_moments(whole.values, whole.center)
        found = kept_classes(model, layer, source.photos, whole, store, progress=source.progress)
        contents = select_activations(MapContents(whole, found), subject, names=names)
        places, moved = kept_places(
            store,
            contents,
            moments,
            grid_of(shape, model.input.size),
            layout=layout.name,
            settings=settings,
            title=title,
            guide=guide,
        )
    guided = "" if guide is None else guide.title
    return PreparedMap(store, contents, moments, whole.signed, settings, places, title, guided, moved)


def _read_guide(folder: Path, guide: Path, subject: MapSubject) -> PlacedActivations:
    if guide.resolve() == folder.resolve():
        raise FeatvizError("`aligned_with` is the folder of the map itself; expected that of another map")
    if subject.against is not None:
        raise FeatvizError("`aligned_with` is given with `against`, which lays out too; expected one of them")
    return read_placed(guide)


def _report_waiting(folder: Path) -> None:
    tqdm.write(f"another run lays out the map in {folder}; this one waits for it", file=sys.stderr)
