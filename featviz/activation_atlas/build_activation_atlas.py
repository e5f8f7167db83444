"""`fv.build_activation_atlas`: what a whole layer can see, as a map of pictures."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from jax.typing import DTypeLike
from jaxtyping import UInt8

from featviz.activation_atlas.activation_map import ActivationAtlas, DrawnLevel
from featviz.activation_atlas.exemplar_crops import crop_exemplars
from featviz.activation_atlas.map_cells import MapLevel, central_members, cut_into_cells, most_alike
from featviz.activation_atlas.map_classes import strongest_classes
from featviz.activation_atlas.map_drawing import DrawingShare, draw_cells
from featviz.activation_atlas.map_facts import describe_map
from featviz.activation_atlas.map_request import LEVELS, make_map_request
from featviz.activation_atlas.own_photos import place_photos
from featviz.activation_atlas.prepared_map import LayoutChoice, MapSource, PreparedMap, prepare_map
from featviz.activation_atlas.site.aligned_maps import join_aligned, leave_aligned
from featviz.activation_atlas.site.map_page import write_map_page
from featviz.activation_atlas.whitening import whitened_directions
from featviz.atlas.engines import Engine, render_locally
from featviz.atlas.ray.engine import OnRay
from featviz.common.arguments import check_count
from featviz.common.bands import shown_bands
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.recipes import Recipe
from featviz.rendering.checks import Size
from featviz.surveys.photos import PhotoInput, find_photos

# Of each cell: other cells like it, photographs, and classes by which it can be found.
NEIGHBORS, EXEMPLARS, CLASSES = 4, 4, 12


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
    aligned_with: str | os.PathLike[str] | None = None,
    own_photos: "PhotoInput | None" = None,
    shard: tuple[int, int] = (1, 1),
    engine: Engine = render_locally,
    recipe: Recipe | str | None = None,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    dtype: DTypeLike | None = None,
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
      aligned_with: the folder of a map of the same photos, of another layer or another checkpoint: this one is laid out
        so that what lies at a place of a photo lies at the same place of both maps, as far as the layer allows. The
        pages lead to each other.
      own_photos: a folder or a list of at most 24 photos whose positions the page shows on the map.
      shard: (index, count): of the cells that are planned, only share `index`, from 1 on, of `count` is drawn. The
        shard that ends last writes the page.
      engine: what renders the cells: this process, or `fv.OnRay(...)` on a Ray cluster.
      recipe, size, steps, seed, dtype: as in `render`; the seed also draws positions and lays out.
      progress: whether to show bars.

    Returns:
      The map; of a shard that does not complete it, with `missing` cells that are black.

    Raises:
      FeatvizError: for an unknown layer or one without positions, a folder that holds something else, photos of which
        none can be read, or so few that no cell has activations of enough of them, or another run that draws the same
        cells.

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
    request = make_map_request(
        model,
        layer,
        per_photo=per_photo,
        layout=layout,
        levels=levels,
        min_photos=min_photos,
        of=of,
        against=against,
        recipe=recipe,
        size=size,
        steps=steps,
        seed=seed,
        dtype=dtype,
    )
    name, drawing, names = request.layer, request.drawing, request.class_names
    check_count("shard", shard[0], 1, check_count("shard", shard[1], 1, 1_000_000))
    source = MapSource(model, name, find_photos(_listed(photos)), request.per_photo, drawing.seed, progress)
    guide = None if aligned_with is None else Path(aligned_with)
    folder = Path(out)
    prepared = prepare_map(source, folder, request.subject, names, LayoutChoice(request.layout, guide))
    if prepared.moved:
        leave_aligned(folder)
    positions, moments, places = prepared.contents.positions, prepared.moments, prepared.places
    cells = _cut_into_levels(prepared, request.sides, min_photos=request.min_photos)
    # Before anything is drawn: a photo that cannot be read is refused at once.
    own = None if own_photos is None else _listed(own_photos)
    placed = () if own is None else place_photos(model, name, own, positions.values, places, moments.center)
    with engine.session() if isinstance(engine, OnRay) else nullcontext():
        # Workers may run on another kind of machine than this process.
        share = DrawingShare(engine, shard, engine.probe() if isinstance(engine, OnRay) else None)
        directions = {f"{level.side}x{level.side}": whitened_directions(level.means, moments) for level in cells}
        drawn = draw_cells(model, name, directions, drawing, prepared.store, share, progress=progress)
    atlas = ActivationAtlas(
        folder,
        model.name,
        name,
        " rather than ".join(names.values()),
        request.layout,
        places,
        positions.photo,
        tuple(
            _described_level(source, prepared, level, pictures)
            for level, (pictures, _) in zip(cells, drawn.values(), strict=True)
        ),
        describe_map(
            source.photos,
            positions,
            drawing,
            per_photo=request.per_photo,
            layout=request.layout,
            settings=prepared.settings,
            signed=prepared.signed,
            classes=tuple(names.values()),
            aligned_with=prepared.guide,
        ),
        sum(missing for _, missing in drawn.values()),
    )
    if guide is not None:
        join_aligned(folder, prepared.title, guide, prepared.guide)
    # Of several shards the one that ends last writes the page.
    if not atlas.missing:
        exemplars = {row for level in atlas.levels for rows in level.exemplars for row in rows}
        crops, photo_names = crop_exemplars(model, name, source.photos, positions, exemplars, progress=progress)
        write_map_page(atlas, crops, photo_names, class_names=model.classes, own=placed)
    return atlas


def _cut_into_levels(prepared: PreparedMap, sides: Sequence[int], *, min_photos: int) -> list[MapLevel]:
    """The map's cells at each zoom level that has some."""
    positions = prepared.contents.positions
    cells = [
        cut_into_cells(prepared.places, positions.values, positions.photo, side=side, min_photos=min_photos)
        for side in sides
    ]
    cells = [level for level in cells if len(level.members)]
    if not cells:
        raise FeatvizError(
            f"`photos`: no cell has activations of {min_photos} photos; expected more photos, fewer cells (`levels`) "
            "or a smaller `min_photos`"
        )
    return cells


def _listed(photos: PhotoInput) -> PhotoInput:
    """Photographs that can be gone through more than once."""
    return photos if isinstance(photos, str | os.PathLike) else list(photos)


def _described_level(
    source: MapSource, prepared: PreparedMap, level: MapLevel, pictures: UInt8[np.ndarray, "cells h w c"]
) -> DrawnLevel:
    (positions, classes, _), moments = prepared.contents, prepared.moments
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
