"""Photographs that a picture begins at or matches: --start, --keep-channels, --facets, --exemplars, --references."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.image_files import read_image
from featviz.cli.options.keep_option import check_channels, keep_channels_option
from featviz.cli.options.option_group import PATH, option_group
from featviz.cli.photo_objectives import PhotoObjectives, match_exemplars, match_references
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.recipes import Recipe


@dataclass(frozen=True)
class PhotoChoice:
    """The photographs of pictures, and how many pictures each target has."""

    start: Path | None
    keep_channels: tuple[int, ...] | None
    facets: int
    exemplars: Path | None
    references: Path | None

    def match(
        self, objectives: list["Objective"], model: "Model", recipe: "Recipe", size: int | tuple[int, int] | None
    ) -> PhotoObjectives:
        """The objectives with photographs in them, and those that facets begin at; --start comes before these.

        Args:
          objectives: of the targets.
          model: the network.
          recipe: of the pictures.
          size: of the pictures, None for the recipe's.

        Raises:
          FeatvizError: for options that exclude one another, or objectives that the photographs do not suit.
        """
        if self.keep_channels is not None and self.start is None:
            raise FeatvizError("--keep-channels goes with --start, whose channels it keeps")
        check_channels(self.keep_channels, model.input.channels)
        if self.references is not None:
            if self.exemplars is not None or self.facets > 1:
                raise FeatvizError("--references stands beside --exemplars or --facets; expected one of them")
            return PhotoObjectives(match_references(objectives, self.references, model), None)
        if self.exemplars is None:
            return PhotoObjectives(objectives, None)
        found = match_exemplars(objectives, self.exemplars, model, recipe, size, facets=self.facets)
        return found if self.start is None else found._replace(starts=None)

    def drawn(self, objectives: list["Objective"]) -> list["Objective"]:
        """What a group of pictures maximizes: of facets without a survey pictures that differ."""
        from featviz.objectives import diverse

        differ = self.facets > 1 and self.exemplars is None
        return [diverse(objective) for objective in objectives] if differ else objectives

    def read_start(self, model: "Model", size: int | tuple[int, int] | None) -> "Float[np.ndarray, 'h w c'] | None":
        """The photograph of --start, or None."""
        return None if self.start is None else read_start(self.start, model, size)


def read_start(path: Path, model: "Model", size: int | tuple[int, int] | None) -> "Float[np.ndarray, 'h w c']":
    """The photograph to start from: all of it, or cropped to the size."""
    image = read_image(path, model.input.channels, option="--start")
    if size is None:
        return image
    from featviz.surveys.photos import prepare

    photo = prepare(path.name, image, size if isinstance(size, tuple) else (size, size), model.input.channels)
    if photo.pixels is None:
        raise FeatvizError(f"--start: `{path.name}` cannot be cropped: {photo.fault}")
    return photo.pixels.astype("float32") / 255


photo_options = option_group(
    "photos",
    PhotoChoice,
    click.option("--start", type=PATH, metavar="PHOTO", help="Start from this photograph in place of noise."),
    keep_channels_option,
    click.option(
        "--facets",
        type=click.IntRange(1, 64),
        default=1,
        metavar="N",
        help="Draw N diverse pictures of each target; with --exemplars, one for each of N clusters of its top photos, "
        "begun at the photo in its middle.",
    ),
    click.option(
        "--exemplars",
        type=PATH,
        metavar="SURVEY",
        help="Match each channel's top photographs as well, from a folder that `featviz survey` has written.",
    ),
    click.option(
        "--references",
        type=PATH,
        metavar="PHOTOS",
        help="Match the statistics of photographs in place of the activation (VITAL): for a channel a folder that "
        "`featviz survey` has written, or one of photographs; for a class photographs of it. With --recipe vital_2025.",
    ),
)
