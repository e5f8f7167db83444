"""The pictures that explanations show: from an atlas, from an earlier run, or drawn; files have hashes for names."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from featviz.atlas.plan import describe_computation
from featviz.atlas.reading import Atlas
from featviz.common.canonical import describe, digest
from featviz.errors import FeatvizError
from featviz.model import LatentWeights, Model, hash_weights, shapes_at
from featviz.objectives import Objective, channel
from featviz.pages.page_images import encode_webp
from featviz.pages.site_files import write_if_changed
from featviz.pictures.picture import Picture
from featviz.recipes import resolve
from featviz.rendering.render import render_each

# Sides and steps of a picture that is drawn for a page, unless it is told: small, as it is shown small.
SIZE, STEPS = 128, 128
# Digits of a hash in the name of a file.
DIGITS = 16


@dataclass(frozen=True)
class PictureFiles:
    """The names of pictures in a folder of explanations.

    Pictures of another network, of another number of groups or of another photo have other names, so none stands in
    for another.

    Attributes:
        network: A hash of the network and of how pictures are drawn.
    """

    network: str

    def name(self, objective: Objective) -> str:
        """The file's name without its suffix.

        >>> len(PictureFiles("0").name(channel("mixed4a", 7)))
        16
        """
        return objective.hash[:DIGITS]

    def address(self, objective: Objective) -> str:
        """The file of what maximizes an objective, in the folder of explanations."""
        return f"{self.folder}{self.name(objective)}.webp"

    @property
    def folder(self) -> str:
        """Where the network's pictures are, in the folder of explanations.

        >>> PictureFiles("6e21").folder
        'pictures/6e21/'
        """
        return f"pictures/{self.network}/"


@dataclass(frozen=True)
class DrawnFiles(PictureFiles):
    """The names of pictures that are drawn for pages, and how they are drawn.

    Attributes:
        size: Height and width.
        steps: Gradient steps.
    """

    size: tuple[int, int]
    steps: int


def name_pictures(model: Model, *, size: int = SIZE, steps: int = STEPS) -> DrawnFiles:
    """The names of a network's pictures, of this size where the network takes it, in this number of steps."""
    sides = drawn_size(model, size)
    drawing = {
        "weights": hash_weights(model.weights),
        "computation": describe_computation(model, sides),
        "recipe": describe(resolve(None, model)),
        "size": list(sides),
        "steps": steps,
    }
    return DrawnFiles(digest(drawing)[:DIGITS], sides, steps)


def drawn_size(model: Model, side: int) -> tuple[int, int]:
    """The height and width of small pictures: of the side that is asked, if the network takes it, else the network's.

    A network of small images, of one fixed size, or edited at some positions has pictures of its own size.
    """
    side = min(side, *model.input.size)
    try:
        shapes_at(model, tuple(layer.name for layer in model.layers), (side, side))
    except (FeatvizError, TypeError, ValueError):
        return model.input.size
    return side, side


def check_atlas(atlas: Atlas, model: Model) -> Atlas | None:
    """The atlas, if its pictures are of the network; None, with a warning, if it does not say of which they are.

    An atlas made without the network's dictionaries is one of it.

    Raises:
      FeatvizError: for an atlas of another network.
    """
    weights, known = model.weights, {hash_weights(model.weights)}
    while isinstance(weights, LatentWeights):
        weights = weights.network
        known.add(hash_weights(weights))
    try:
        network = atlas.entries(atlas.plan[0].path).attributes["run"]["network"]
        found, name = network["weights_sha256"], network["name"]
    except (FeatvizError, LookupError, TypeError):
        message = f"`{atlas.store.location}` does not say which weights it is of; its pictures are not used"
        warnings.warn(message, stacklevel=3)
        return None
    if found not in known:
        which = f"{name} with other weights" if name == model.name else str(name)
        raise FeatvizError(f"`atlas` is `{atlas.store.location}`, one of {which}; expected one of {model.name}")
    return atlas


def write_atlas_pictures(
    units: Mapping[str, Sequence[int]], folder: Path, files: PictureFiles, atlas: Atlas | None
) -> list[Objective]:
    """Writes an atlas's pictures of units.

    Args:
      units: layer -> units.
      folder: that of the explanations.
      files: the pictures' names.
      atlas: that has pictures, or None.

    Returns:
      What the pictures that the atlas lacks maximize.
    """
    others: list[Objective] = []
    for layer, listed in units.items():
        for unit in dict.fromkeys(listed):
            found = None if atlas is None else _from_atlas(atlas, layer, unit)
            if found is not None:
                write_if_changed(folder / files.address(channel(layer, unit)), _encode(found))
            else:
                others.append(channel(layer, unit))
    return others


def write_pictures(
    model: Model, objectives: Sequence[Objective], folder: Path, files: DrawnFiles, *, progress: bool
) -> None:
    """Draws the pictures of objectives that the folder lacks."""
    missing = {address: each for each in objectives if not (folder / (address := files.address(each))).is_file()}
    if not missing:
        return
    addresses, drawn = list(missing), list(missing.values())
    for index, picture in render_each(model, drawn, size=files.size, steps=files.steps, progress=progress):
        write_if_changed(folder / addresses[index], _encode(picture))


def _from_atlas(atlas: Atlas, layer: str, unit: int) -> Picture | None:
    try:
        return atlas.picture(f"{layer}:{unit}")
    except FeatvizError:
        # The atlas is of other layers, or not there yet.
        return None


def _encode(picture: Picture) -> bytes:
    return encode_webp(picture.preview().convert("RGB"))
