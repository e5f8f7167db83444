"""`fv.explain`: pages that say why a network decides as it does on photos."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from featviz.atlas.reading import Atlas, open_atlas
from featviz.attribution.activation_grid import write_grid
from featviz.attribution.attribute import check_layer
from featviz.attribution.explained_layers import explained_layers
from featviz.attribution.explained_photos import PhotoChoice, read_photos
from featviz.attribution.explained_pictures import (
    SIZE,
    STEPS,
    check_atlas,
    name_pictures,
    write_atlas_pictures,
    write_pictures,
)
from featviz.attribution.explanation import Explanation, explain_photo
from featviz.attribution.faithfulness import faithfulness
from featviz.attribution.methods import Method, check_method
from featviz.attribution.picture_order import listed_units, picture_rounds
from featviz.attribution.shown_pictures import ShownPictures, show_pictures
from featviz.attribution.site.explanation_page import PACKAGE, page_address, render_explanation, render_index
from featviz.common.arguments import check_count
from featviz.common.displayed_list import DisplayedList
from featviz.common.files import check_folder
from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError
from featviz.model import Model, require_model
from featviz.objectives import Objective
from featviz.pages.addresses import ASSETS, INDEX, PageLink, link
from featviz.pages.site_files import cached_file_exists, write_if_changed
from featviz.pages.templating import static_files
from featviz.rendering.checks import LARGEST_SIZE, SMALLEST_SIZE
from featviz.surveys.token_grids import warn_of_guessed_places

MAX_UNITS = 64
# So many photos are explained in less time by programs that compile sooner and run slower.
FEW = 30


def explain(
    model: Model,
    photos: PhotoChoice,
    *,
    out: str | os.PathLike[str],
    objective: Objective | None = None,
    layers: Sequence[str] | None = None,
    method: Method | None = None,
    units: int = 6,
    groups: int = 4,
    atlas: str | os.PathLike[str] | Atlas | None = None,
    draw: bool = True,
    size: int = SIZE,
    steps: int = STEPS,
    grid: Sequence[str] = (),
    measure: bool = False,
    progress: bool = True,
) -> list[Explanation]:
    """Writes a page for each photo: the decision, the units for it and against it, and what each place shows.

    Args:
      model: the network, with dictionaries or edits or without.
      photos: a photo, a folder, or a list of paths, PIL images and arrays.
      out: the folder of the pages; `index.html` lists them. Pictures of the same network that are there already are not
        drawn again.
      objective: what is explained, such as `fv.logit(5) - fv.logit(7)`; by default each photo's largest output.
      layers: names of layers; by default four of the network's blocks, before the objective's layer.
      method: how the score is divided, of the room `fv.attribution`; by default relevance.
      units: how many units for it and how many against it, of each layer.
      groups: how many groups of units that fire together; 0 for none.
      atlas: an atlas of the network, or its folder, whose pictures are shown.
      draw: whether pictures that are missing are drawn, those that matter most first: of three units for it and two
        against it in each layer, of the groups, of the other units for and against, of the 12 that are strongest at
        most places of a layer, and of those that feed the groups. The pages are written before and after each of these.
      size: the side of the pictures that are drawn, at most that of the network's images.
      steps: steps of each.
      grid: names of layers, of those that are shown, of which every place is drawn (`fv.activation_grid`).
      measure: whether the page says how far its last layer's attribution is to be trusted, which ablates every unit.
      progress: whether to show bars.

    Returns:
      The explanations, in the order of the photos.

    Raises:
      FeatvizError: for a photo that cannot be read, an unknown layer, a layer that the objective is not computed from,
        a method that does not tell units apart, an atlas of another network, or a grid of a layer that is not shown or
        without `draw`.

    >>> import featviz as fv, numpy as np, tempfile
    >>> photo = np.random.default_rng(0).random((64, 64, 3), np.float32)
    >>> made = fv.explain(fv.load("patterns"), photo, out=tempfile.mkdtemp(), layers=["mixed4a"], draw=False)
    >>> made[0].layers[0].layer, len(made[0].layers[0].supporting)
    ('mixed4a', 6)
    """
    require_model(model)
    folder = check_folder(out, purpose="the pages")
    check_method(method, per_unit=True)
    chosen = explained_layers(model, layers, objective=objective)
    units, groups, size, steps = check_numbers(units, groups, size, steps)
    check_grid(grid, chosen, draw=draw)
    opened = open_atlas(atlas) if isinstance(atlas, str | os.PathLike) else atlas
    opened = None if opened is None else check_atlas(opened, model)
    read = read_photos(photos, model)
    if objective is not None:
        for layer in chosen:
            check_layer(model, layer, objective, model.input.size)
    warn_of_guessed_places({layer: model.layer(layer).shape for layer in chosen}, model.input.size)
    explanations = [
        explain_photo(
            model,
            photo.name,
            pixels,
            layers=chosen,
            objective=objective,
            method=method,
            units=units,
            group_count=groups,
            quick=len(read) <= FEW,
        )
        for photo, pixels in progress_bar(read, shown=progress, unit="photo")
    ]
    shown = show_pictures(name_pictures(model, size=size, steps=steps), opened)
    if opened is not None and shown.atlas is not None:
        listed = {layer: listed_units(explanations, layer) for layer in chosen}
        write_atlas_pictures(listed, folder, shown.atlas, opened)
    if draw:
        draw_pictures(model, explanations, folder, shown, layers=chosen, grid=grid, progress=progress)
    write_pages(model, explanations, folder, shown, measure=measure)
    return DisplayedList(replace(each, folder=folder, pictures=shown) for each in explanations)


def draw_pictures(
    model: Model,
    explanations: Sequence[Explanation],
    folder: Path,
    shown: ShownPictures,
    *,
    layers: Sequence[str],
    grid: Sequence[str],
    progress: bool,
) -> None:
    """Draws what the folder lacks, those that matter most first; the pages are written before each round."""
    rounds = picture_rounds(explanations, layers)
    for index in range(len(rounds)):
        exists = cached_file_exists(folder)
        missing = [[each for each in later if shown.find(each, exists) is None] for later in rounds[index:]]
        if missing[0]:
            write_pages(model, explanations, folder, shown, measure=False, coming=sum(map(len, missing)))
            write_pictures(model, missing[0], folder, shown.drawn, progress=progress)
    for view in (view for each in explanations for view in each.layers if view.layer in grid):
        write_grid(model, view.layer, view.attribution.activations[0], folder, shown.drawn, progress=progress)


def check_numbers(units: int, groups: int, size: int, steps: int) -> tuple[int, int, int, int]:
    """The numbers of `explain`.

    Raises:
      FeatvizError: for one that is no whole number, or out of its range.
    """
    return (
        check_count("units", units, 1, MAX_UNITS),
        check_count("groups", groups, 0, MAX_UNITS),
        check_count("size", size, SMALLEST_SIZE, LARGEST_SIZE),
        check_count("steps", steps, 1, 1_000_000),
    )


def check_grid(grid: Sequence[str], layers: Sequence[str], *, draw: bool) -> None:
    """Whether activation grids of these layers can be drawn on pages that show others.

    Raises:
      FeatvizError: for one name in place of a list, a layer that is not shown, or where nothing is to be drawn.
    """
    if isinstance(grid, str):
        raise FeatvizError(f"`grid` is {grid!r}; expected a list of names, such as [{grid!r}]")
    missing = [layer for layer in grid if layer not in layers]
    if missing:
        raise FeatvizError(f"`grid` has `{missing[0]}`, which is not among the layers shown: {', '.join(layers)}")
    if grid and not draw:
        raise FeatvizError("`grid` is given without `draw`; expected draw=True, or no grid")


def write_pages(
    model: Model,
    explanations: Sequence[Explanation],
    folder: Path,
    shown: ShownPictures,
    *,
    measure: bool,
    coming: int = 0,
) -> None:
    """Writes the pages of explanations, with the pictures that the folder has; `coming` says how many it will get."""
    file_exists = cached_file_exists(folder)
    for name, data in static_files(PACKAGE).items():
        write_if_changed(folder / ASSETS / name, data)
    addresses = [page_address(each.name) for each in explanations]
    for index, each in enumerate(explanations):
        neighbors = tuple(
            PageLink(explanations[at].name, link(addresses[at], addresses[index]))
            if 0 <= at < len(explanations)
            else None
            for at in (index - 1, index + 1)
        )
        lines: list[tuple[str, str]] = []
        if measure:
            last = each.layers[-1]
            found = faithfulness(model, last.attribution, each.photo, each.objective)
            lines = [("layer", last.layer), *found.lines()]
        page = render_explanation(
            each,
            network=model.name,
            neighbors=(neighbors[0], neighbors[1]),
            faithfulness=lines,
            pictures=shown,
            coming=coming,
            edit=model.source.get("edit", ""),
            file_exists=file_exists,
        )
        write_if_changed(folder / addresses[index], page)
    write_if_changed(folder / INDEX, render_index(explanations, network=model.name))
