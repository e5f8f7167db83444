"""The pictures that explanations show: from an atlas, from an earlier run, or drawn."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from featviz.atlas.reading import Atlas
from featviz.common.safe_names import safe_name
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.objectives import Objective, channel, direction
from featviz.pages.page_images import encode_webp
from featviz.pages.site_files import write_if_changed
from featviz.pictures.picture import Picture
from featviz.rendering.render import render_each

# Sides and steps of a picture that is drawn for a page: small, as it is shown small.
SIZE, STEPS = 128, 128


def unit_address(layer: str, unit: int) -> str:
    """The file of a unit's picture in the folder of explanations.

    >>> unit_address("mixed4a/3x3", 7)
    'pictures/mixed4a%2F3x3/7.webp'
    """
    return f"pictures/{safe_name(layer)}/{unit}.webp"


def group_address(photo: str, layer: str, index: int) -> str:
    """The file of a group's picture."""
    return f"pictures/groups/{safe_name(photo)}/{safe_name(layer)}/{index}.webp"


def write_unit_pictures(
    model: Model,
    units: Mapping[str, Sequence[int]],
    folder: Path,
    *,
    atlas: Atlas | None,
    draw: bool,
    progress: bool,
) -> None:
    """Writes pictures of units that the folder lacks: those of the atlas, and drawn ones of the others.

    Args:
      model: the network.
      units: layer -> units.
      folder: that of the explanations.
      atlas: pictures at hand.
      draw: whether those that the atlas lacks are drawn.
      progress: whether to show a bar.
    """
    missing: dict[str, Objective] = {}
    for layer, listed in units.items():
        for unit in dict.fromkeys(listed):
            address = unit_address(layer, unit)
            if (folder / address).is_file():
                continue
            found = None if atlas is None else _from_atlas(atlas, layer, unit)
            if found is not None:
                write_if_changed(folder / address, _encode(found))
            else:
                missing[address] = channel(layer, unit)
    if draw:
        _draw(model, missing, folder, progress=progress)


def write_group_pictures(
    model: Model, photo: str, layer: str, directions: np.ndarray, folder: Path, *, progress: bool
) -> None:
    """Draws the pictures of a photo's groups that the folder lacks."""
    objectives = {group_address(photo, layer, index): direction(layer, row) for index, row in enumerate(directions)}
    missing = {address: each for address, each in objectives.items() if not (folder / address).is_file()}
    _draw(model, missing, folder, progress=progress)


def _draw(model: Model, missing: Mapping[str, Objective], folder: Path, *, progress: bool) -> None:
    if not missing:
        return
    addresses = list(missing)
    size = min(SIZE, *model.input.size)
    for index, picture in render_each(model, list(missing.values()), size=size, steps=STEPS, progress=progress):
        write_if_changed(folder / addresses[index], _encode(picture))


def _from_atlas(atlas: Atlas, layer: str, unit: int) -> Picture | None:
    try:
        return atlas.picture(f"{layer}:{unit}")
    except FeatvizError:
        # The atlas is of other layers, or not there yet.
        return None


def _encode(picture: Picture) -> bytes:
    return encode_webp(picture.preview().convert("RGB"))
