"""What a map's page says about how it was made."""

from collections.abc import Sequence

import numpy as np

from featviz.activation_atlas.map_drawing import CellDrawing
from featviz.activation_atlas.map_layout import LayoutSettings
from featviz.activation_atlas.map_positions import MapPositions
from featviz.pages.formatting import format_count
from featviz.surveys.photos import Folder, Source

FROM_THE_MEAN = ", from the mean of all activations"


def describe_map(
    photos: Source,
    positions: MapPositions,
    drawing: CellDrawing,
    *,
    per_photo: int,
    layout: str,
    settings: LayoutSettings,
    signed: bool,
    classes: Sequence[str],
    aligned_with: str = "",
) -> dict[str, str]:
    """Lines of label and value.

    Args:
      photos: what the activations are of.
      positions: the map's activations.
      drawing: how its pictures are drawn.
      per_photo: how many positions of each photo were drawn.
      layout: `umap` or `pca`.
      settings: of UMAP.
      signed: whether directions are meant from the mean.
      classes: what the map is of: none, a class, or two, of which the first one is on the right.
      aligned_with: what the map is of that this one goes by; "" for none.
    """
    count = len(np.unique(positions.photo))
    # The folder `.` has a name too.
    where = f" of {photos.path.resolve().name}" if isinstance(photos, Folder) else ""
    height, width = drawing.size
    if layout == "umap":
        laid_out = f"UMAP of the angles ({settings.neighbors} neighbors, minimal distance {settings.min_dist:g})"
    else:
        laid_out = (
            "the largest principal components of the angles, as UMAP was not asked for or is not installed: "
            "activations that are far apart may lie on each other"
        )
    if len(classes) == 2:
        right, left = classes
        laid_out = f"from left to right what adds to {right} rather than to {left}; upwards {laid_out}"
    if aligned_with:
        begun = "begun at" if layout == "umap" else "turned to"
        laid_out = f"{laid_out}, {begun} the places of the same photos on the map of {aligned_with}"
    facts = {
        "photos": f"{format_count(count, of='photo')}{where}",
        "activations": f"{format_count(len(positions.photo))}, of up to {per_photo} positions of each photo, seed "
        f"{drawing.seed}",
        "layout": laid_out,
        "pictures": f"cell means, whitened{FROM_THE_MEAN if signed else ''}; {height} x {width} pixels, "
        f"{format_count(drawing.steps, of='step')}",
    }
    if positions.left_out:
        facts["left out"] = f"{format_count(positions.left_out, of='token')} of more than 5 times the median norm"
    if positions.unreadable:
        facts["unreadable"] = format_count(positions.unreadable, of="photo")
    return facts
