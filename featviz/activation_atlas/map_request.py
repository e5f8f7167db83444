"""What a map is asked for, checked once, before photographs are read."""

from collections.abc import Sequence
from typing import NamedTuple

from jax.typing import DTypeLike

from featviz.activation_atlas.map_cells import check_levels
from featviz.activation_atlas.map_drawing import CellDrawing
from featviz.activation_atlas.map_layout import choose_layout
from featviz.activation_atlas.map_subject import MapSubject, read_subject
from featviz.common.arguments import check_count
from featviz.errors import FeatvizError
from featviz.model import Model, require_model
from featviz.model.shapes import shapes_at
from featviz.recipes import Recipe, default_size, resolve
from featviz.rendering.checks import Size, check_dtype, check_seed, check_size
from featviz.surveys.receptive_fields import grid_of

# Squares along a side of each zoom level.
LEVELS = (10, 20, 40)


class MapRequest(NamedTuple):
    """A map of a layer.

    Attributes:
      layer: the name of the layer.
      per_photo: how many positions of each photo are drawn.
      min_photos: of how many photos a cell has activations.
      sides: squares along a side of each zoom level.
      layout: "umap" or "pca".
      subject: the classes that it is of.
      class_names: their names.
      drawing: how cells are drawn; its seed also draws positions and lays out.
    """

    layer: str
    per_photo: int
    min_photos: int
    sides: tuple[int, ...]
    layout: str
    subject: MapSubject
    class_names: dict[int, str]
    drawing: CellDrawing


def make_map_request(
    model: Model,
    layer: str,
    *,
    per_photo: int = 16,
    layout: str | None = None,
    levels: Sequence[int] = LEVELS,
    min_photos: int = 3,
    of: str | int | None = None,
    against: str | int | None = None,
    recipe: str | Recipe | None = None,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    dtype: DTypeLike | None = None,
) -> MapRequest:
    """Checks what `build_activation_atlas` is asked; the arguments are those of it.

    Raises:
      FeatvizError: for an unknown layer or one without positions, or a number or a class that no map can have.

    >>> import featviz as fv
    >>> make_map_request(fv.load("patterns"), "mixed3a", levels=(4, 2), layout="pca", steps=8).sides
    (2, 4)
    """
    name = require_model(model).layer(layer).name
    shape = shapes_at(model, (name,), model.input.size)[name]
    if len(shape) not in (2, 3):
        raise FeatvizError(
            f"`layer` is `{name}` of shape {shape}; expected one with positions, (h, w, c) or (tokens, c)"
        )
    subject, class_names = read_subject(model, of, against)
    resolved = resolve(recipe, model)
    drawing = CellDrawing(
        recipe=resolved,
        size=check_size(default_size(model, resolved, (name,)) if size is None else size, None),
        steps=check_count("steps", resolved.steps if steps is None else steps, 1, 1_000_000),
        seed=check_seed(seed),
        class_tokens=grid_of(shape, model.input.size).skipped,
        dtype=check_dtype(dtype),
    )
    return MapRequest(
        layer=name,
        per_photo=check_count("per_photo", per_photo, 1, 10**6),
        min_photos=check_count("min_photos", min_photos, 1, 10**6),
        sides=check_levels(levels),
        layout=choose_layout(layout),
        subject=subject,
        class_names=class_names,
        drawing=drawing,
    )
