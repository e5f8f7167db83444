"""`fv.build_activation_atlas`: what a whole layer can see, as a map of pictures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from featviz.activation_atlas.activation_map import ActivationAtlas, DrawnLevel
from featviz.activation_atlas.class_activations import MapContents, MapSubject, select_activations
from featviz.activation_atlas.exemplar_crops import crop_exemplars
from featviz.activation_atlas.kept_classes import kept_classes, positions_key
from featviz.activation_atlas.map_cells import MapLevel, central_members, check_levels, cut_into_cells, most_alike
from featviz.activation_atlas.map_classes import strongest_classes
from featviz.activation_atlas.map_drawing import CellDrawing, draw_cells
from featviz.activation_atlas.map_facts import describe_map
from featviz.activation_atlas.map_layout import (
    CLASS_MIN_DIST,
    CLASS_NEIGHBORS,
    LayoutSettings,
    choose_layout,
    lay_out,
)
from featviz.activation_atlas.map_positions import sample_positions
from featviz.activation_atlas.map_store import ACTIVATIONS, open_map, read_arrays, write_arrays
from featviz.activation_atlas.own_photos import place_photos
from featviz.activation_atlas.site.map_page import write_map_page
from featviz.activation_atlas.whitening import Moments, measure_moments, whitened_directions
from featviz.atlas.atlas_store import Store
from featviz.common.arguments import check_count
from featviz.common.bands import shown_bands
from featviz.common.canonical import digest
from featviz.errors import FeatvizError
from featviz.model import Model, find_class, require_model
from featviz.model.shapes import shapes_at
from featviz.recipes import Recipe, default_size, resolve
from featviz.rendering.checks import Size, check_seed, check_size
from featviz.surveys.photos import PhotoInput, Source, find_photos
from featviz.surveys.receptive_fields import grid_of

# Squares along a side of each zoom level.
LEVELS = (10, 20, 40)
# Of each cell: other cells like it, photographs, and classes by which it can be found.
NEIGHBORS, EXEMPLARS, CLASSES = 4, 4, 12


@dataclass(frozen=True)
class _MapSource:
    """The network, its layer and the photographs that a map is of."""

    model: Model
    layer: str
    photos: Source
    seed: int
    progress: bool


def build_activation_atlas(
    model: Model,
    layer: str,
    photos: PhotoInput,
    *,
    out: str | os.PathLike[str],
    per_photo: int = 16,
    layout: str | None = None,
    levels: Sequence[int] = LEVELS,
    min_photos: int = 3,
    of: str | int | None = None,
    against: str | int | None = None,
    own_photos: "PhotoInput | None" = None,
    recipe: Recipe | str | None = None,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> ActivationAtlas:
    """Lays a layer's activations over photographs out as a map, and draws what each of its cells looks for.

    Activations at sampled positions of the photographs are laid out so that alike ones are side by side, and cut into
    cells at several zoom levels. Each cell's picture is that of its mean activation, whitened. Runs are resumable:
    what a stopped run has done is kept, and the same call continues.

    Args:
      model: the network.
      layer: the name of a layer with positions.
      photos: a folder, searched recursively, or a list of paths, PIL images or arrays; hundreds at least.
      out: a new folder, or that of the same map, which is resumed; its `index.html` is the page.
      per_photo: how many positions of each photo are drawn, without class tokens and registers. Many photos with few
        positions each are better than few with many.
      layout: "umap", which needs umap-learn, or "pca"; by default UMAP if it is installed.
      levels: squares along a side of each zoom level, 1 to 200.
      min_photos: a cell is drawn if it has activations of so many photos.
      of: a class, by name or index, for a map of the activations that speak for it alone.
      against: another class: activations that speak for it are on the left, those for `of` on the right.
      own_photos: a folder or a list of at most 24 photos whose positions the page shows on the map.
      recipe, size, steps, seed: as in `render`; the seed also draws positions and lays out.
      progress: whether to show bars.

    Returns:
      The map.

    Raises:
      FeatvizError: for an unknown layer or one without positions, a folder that holds something else, photos of which
        none can be read, or so few that no cell has activations of enough of them.

    >>> import featviz as fv, tempfile
    >>> rng = np.random.default_rng(0)
    >>> photos = [rng.random((64, 64, 3), np.float32) for _ in range(6)]
    >>> made = fv.build_activation_atlas(
    ...     fv.load("patterns"), "mixed3a", photos, out=tempfile.mkdtemp(), layout="pca", levels=(2,), size=32, steps=2,
    ...     progress=False,
    ... )
    >>> len(made.levels), made.levels[0].cells.side, len(made.levels[0]) > 0
    (1, 2, True)
    """
    name = require_model(model).layer(layer).name
    shape = shapes_at(model, (name,), model.input.size)[name]
    if len(shape) not in (2, 3):
        raise FeatvizError(
            f"`layer` is `{name}` of shape {shape}; expected one with positions, (h, w, c) or (tokens, c)"
        )
    per_photo = check_count("per_photo", per_photo, 1, 10**6)
    min_photos = check_count("min_photos", min_photos, 1, 10**6)
    sides, chosen, seed = check_levels(levels), choose_layout(layout), check_seed(seed)
    subject, names = read_subject(model, of, against)
    resolved = resolve(recipe, model)
    pixels = check_size(default_size(model, resolved, (name,)) if size is None else size, None)
    steps = check_count("steps", resolved.steps if steps is None else steps, 1, 1_000_000)
    drawing = CellDrawing(resolved, pixels, steps, seed, grid_of(shape, model.input.size).skipped)
    source = _MapSource(model, name, find_photos(_listed(photos)), seed, progress)
    folder = Path(out)
    store = open_map(folder)
    whole = sample_positions(
        model,
        name,
        source.photos,
        folder / ACTIVATIONS,
        per_photo=per_photo,
        seed=seed,
        tokens=len(shape) == 2,
        progress=progress,
    )
    moments = measure_moments(whole.values, whole.center)
    contents = MapContents(whole, kept_classes(model, name, source.photos, whole, store, progress=progress))
    contents = select_activations(contents, subject, names=names)
    positions = contents.positions
    settings = LayoutSettings(seed)
    if subject.of is not None:
        settings = settings._replace(neighbors=CLASS_NEIGHBORS, min_dist=CLASS_MIN_DIST)
    places = _kept_places(store, contents, moments, layout=chosen, settings=settings)
    cells = [
        cut_into_cells(places, positions.values, positions.photo, side=side, min_photos=min_photos) for side in sides
    ]
    if not any(len(level.members) for level in cells):
        raise FeatvizError(
            f"`photos`: no cell has activations of {min_photos} photos; expected more photos, fewer cells (`levels`) "
            "or a smaller `min_photos`"
        )
    # Before anything is drawn: a photo that cannot be read is refused at once.
    own = None if own_photos is None else _listed(own_photos)
    placed = () if own is None else place_photos(model, name, own, positions.values, places, moments.center)
    drawn = [_draw_level(source, contents, moments, level, drawing, store) for level in cells if len(level.members)]
    atlas = ActivationAtlas(
        folder,
        model.name,
        name,
        " rather than ".join(names.values()),
        chosen,
        places,
        positions.photo,
        tuple(drawn),
        describe_map(
            source.photos,
            positions,
            drawing,
            per_photo=per_photo,
            layout=chosen,
            settings=settings,
            signed=whole.signed,
            classes=tuple(names.values()),
        ),
    )
    exemplars = {row for level in atlas.levels for rows in level.exemplars for row in rows}
    crops, photo_names = crop_exemplars(model, name, source.photos, positions, exemplars, progress=progress)
    write_map_page(atlas, crops, photo_names, class_names=model.classes, own=placed)
    return atlas


def read_subject(model: Model, of: str | int | None, against: str | int | None) -> tuple[MapSubject, dict[int, str]]:
    """What a map is of, and the names of its classes.

    Raises:
      FeatvizError: for a class that the network lacks, the same class twice, or `against` alone.

    >>> import featviz as fv
    >>> read_subject(fv.load("patterns"), "leaf", 3)[0]
    MapSubject(of=56, against=3)
    """
    if of is None:
        if against is not None:
            raise FeatvizError("`against` is given without `of`; expected both, or `of` alone")
        return MapSubject(), {}
    indices = [
        find_class(model, name, each) for name, each in (("`of`", of), ("`against`", against)) if each is not None
    ]
    if len(set(indices)) < len(indices):
        raise FeatvizError(f"`against` is the class that `of` is, {indices[0]}; expected another one")
    named = len(model.classes) > max(indices)
    return MapSubject(*indices), {index: model.classes[index] if named else f"class {index}" for index in indices}


def _listed(photos: PhotoInput) -> PhotoInput:
    """Photographs that can be gone through more than once."""
    return photos if isinstance(photos, str | os.PathLike) else list(photos)


def _draw_level(
    source: _MapSource,
    contents: MapContents,
    moments: Moments,
    level: MapLevel,
    drawing: CellDrawing,
    store: Store,
) -> DrawnLevel:
    positions, classes = contents.positions, contents.classes
    directions = whitened_directions(level.means, moments)
    pictures = draw_cells(
        source.model,
        source.layer,
        directions,
        drawing,
        store,
        name=f"{level.side}x{level.side}",
        progress=source.progress,
    )
    listed = [
        () if classes is None else tuple(strongest_classes(classes, positions.photo, members, count=CLASSES))
        for members in level.members
    ]
    exemplars = central_members(level, positions.values, positions.photo, moments.center, count=EXEMPLARS)
    return DrawnLevel(
        level,
        shown_bands(pictures, source.model.input.rgb),
        tuple(listed),
        most_alike(level.means - moments.center, count=NEIGHBORS),
        tuple(tuple(rows) for rows in exemplars),
    )


def _kept_places(
    store: Store, contents: MapContents, moments: Moments, *, layout: str, settings: LayoutSettings
) -> Float[np.ndarray, "rows 2"]:
    """The layout, from the store if it has it."""
    key = digest([positions_key(contents.positions), list(settings), contents.contrast])
    name = f"{layout}-{key[:16]}"
    found = read_arrays(store, name)
    if found is None:
        values = contents.positions.values - moments.center
        found = {"places": lay_out(values, layout=layout, settings=settings, contrast=contents.contrast)}
        write_arrays(store, name, found)
    return found["places"]
