"""`fv.build_activation_atlas`: what a whole layer can see, as a map of pictures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from featviz.activation_atlas.activation_map import ActivationAtlas, DrawnLevel
from featviz.activation_atlas.exemplar_crops import crop_exemplars
from featviz.activation_atlas.map_cells import MapLevel, central_members, check_levels, cut_into_cells, most_alike
from featviz.activation_atlas.map_classes import MapClasses, attribute_classes, has_classes, strongest_classes
from featviz.activation_atlas.map_drawing import CellDrawing, draw_cells
from featviz.activation_atlas.map_layout import choose_layout, lay_out
from featviz.activation_atlas.map_positions import MapPositions, sample_positions
from featviz.activation_atlas.map_store import ACTIVATIONS, open_map, read_arrays, write_arrays
from featviz.activation_atlas.site.map_page import write_map_page
from featviz.activation_atlas.whitening import whitened_directions
from featviz.atlas.atlas_store import Store
from featviz.common.arguments import check_count
from featviz.common.canonical import digest
from featviz.errors import FeatvizError
from featviz.model import Model, require_model
from featviz.model.shapes import shapes_at
from featviz.pages.formatting import format_count
from featviz.recipes import Recipe, default_size, resolve
from featviz.rendering.checks import Size, check_seed, check_size
from featviz.surveys.photos import Folder, PhotoInput, Source, find_photos
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
    resolved = resolve(recipe, model)
    pixels = check_size(default_size(model, resolved, (name,)) if size is None else size, None)
    steps = check_count("steps", resolved.steps if steps is None else steps, 1, 1_000_000)
    drawing = CellDrawing(resolved, pixels, steps, seed, grid_of(shape).skipped)
    found = find_photos(photos if isinstance(photos, str | os.PathLike) else list(photos))
    source = _MapSource(model, name, found, seed, progress)
    folder = Path(out)
    store = open_map(folder)
    positions = sample_positions(
        model,
        name,
        found,
        folder / ACTIVATIONS,
        per_photo=per_photo,
        seed=seed,
        tokens=len(shape) == 2,
        progress=progress,
    )
    key = _positions_key(positions)
    centered = positions.values - positions.center
    places = _kept_places(store, centered, layout=chosen, seed=seed, key=key)
    classes = _kept_classes(source, positions, store, key=key)
    cells = [
        cut_into_cells(places, positions.values, positions.photo, side=side, min_photos=min_photos) for side in sides
    ]
    if not any(len(level.members) for level in cells):
        raise FeatvizError(
            f"`photos`: no cell has activations of {min_photos} photos; expected more photos, fewer cells (`levels`) "
            "or a smaller `min_photos`"
        )
    drawn = []
    atlas = None
    for level in cells:
        if not len(level.members):
            continue
        drawn.append(_draw_level(source, positions, classes, level, drawing, store))
        atlas = ActivationAtlas(
            folder,
            model.name,
            name,
            chosen,
            places,
            positions.photo,
            tuple(drawn),
            _facts(found, positions, drawing, chosen, per_photo),
        )
    assert atlas is not None
    exemplars = {row for level in atlas.levels for rows in level.exemplars for row in rows}
    crops, names = crop_exemplars(model, name, found, positions, exemplars, progress=progress)
    write_map_page(atlas, crops, names, class_names=model.classes)
    return atlas


def _draw_level(
    source: _MapSource,
    positions: MapPositions,
    classes: MapClasses | None,
    level: MapLevel,
    drawing: CellDrawing,
    store: Store,
) -> DrawnLevel:
    directions = whitened_directions(level.means, positions.values, positions.center)
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
    exemplars = central_members(level, positions.values, positions.photo, positions.center, count=EXEMPLARS)
    return DrawnLevel(
        level,
        pictures,
        tuple(listed),
        most_alike(level.means - positions.center, count=NEIGHBORS),
        tuple(tuple(rows) for rows in exemplars),
    )


def _kept_places(
    store: Store, values: Float[np.ndarray, "rows units"], *, layout: str, seed: int, key: str
) -> Float[np.ndarray, "rows 2"]:
    """The layout, from the store if it has it."""
    name = f"{layout}-{digest([key, seed])[:16]}"
    found = read_arrays(store, name)
    if found is None:
        found = {"places": lay_out(values, layout=layout, seed=seed)}
        write_arrays(store, name, found)
    return found["places"]


def _kept_classes(source: _MapSource, positions: MapPositions, store: Store, *, key: str) -> MapClasses | None:
    """The classes of the activations, from the store if it has them; None for a network without classes."""
    if not has_classes(source.model, source.layer):
        return None
    name = f"classes-{key[:16]}"
    found = read_arrays(store, name)
    if found is None:
        made = attribute_classes(source.model, source.layer, source.photos, positions, progress=source.progress)
        found = made._asdict()
        write_arrays(store, name, found)
    return MapClasses(found["classes"], found["scores"])


def _positions_key(positions: MapPositions) -> str:
    """A hash of the activations and of where they are from."""
    return digest([positions.values, positions.photo, positions.position])


def _facts(
    photos: Source, positions: MapPositions, drawing: CellDrawing, layout: str, per_photo: int
) -> dict[str, str]:
    count = len(np.unique(positions.photo))
    where = f" of {photos.path.name}" if isinstance(photos, Folder) else ""
    facts = {
        "photos": f"{format_count(count, of='photo')}{where}",
        "activations": f"{format_count(len(positions.photo))}, up to {per_photo} positions of each photo, seed "
        f"{drawing.seed}",
        "layout": "UMAP of the angles (50 neighbors, minimal distance 0.05)"
        if layout == "umap"
        else "the two largest principal components of the angles, as UMAP was not asked for or is not installed: far "
        "activations may lie on each other",
        "pictures": f"cell means, whitened{', from the mean of all activations' if positions.signed else ''}; "
        f"{drawing.size[0]} x {drawing.size[1]} pixels, {format_count(drawing.steps, of='step')}",
    }
    if positions.left_out:
        facts["left out"] = f"{format_count(positions.left_out, of='token')} of more than 5 times the median norm"
    if positions.unreadable:
        facts["unreadable"] = format_count(positions.unreadable, of="photo")
    return facts
