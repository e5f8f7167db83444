"""How a dream goes: its octaves, steps and tiles, and what makes a film of it."""

from dataclasses import dataclass
from typing import TypedDict

import click

from featviz.cli.options.option_group import Parsed, option_group
from featviz.cli.options.recipe_options import seed_option
from featviz.errors import FeatvizError


class DreamKeywords(TypedDict):
    """The arguments of `dream`, `dream_film` and `dream_frames` that they share."""

    octaves: int | None
    octave_scale: float
    steps: int
    step_size: float
    jitter: int
    laplacian: int
    tile: int | None
    seed: int


@dataclass(frozen=True)
class DreamChoice:
    """The options of the ascent; `step_size` is in levels of 255, None of `octaves` and `tile` means auto."""

    octaves: int | None
    octave_scale: float
    steps: int
    step_size: float
    jitter: int
    laplacian: int
    tile: int | None
    seed: int

    def check(self) -> None:
        """Refuses what no dream can have; the step size in levels, as it is given."""
        from featviz.dreaming.dream_checks import check_numbers

        if not 0 < self.step_size <= 255:
            raise FeatvizError(
                f"--step-size is {self.step_size:g}; expected the mean change of a step, of 255, such as 1.5"
            )
        check_numbers(**self.keywords())

    def keywords(self) -> DreamKeywords:
        """The options as `dream` takes them, the step size as a share of the pixels' range."""
        return {
            "octaves": self.octaves,
            "octave_scale": self.octave_scale,
            "steps": self.steps,
            "step_size": self.step_size / 255,
            "jitter": self.jitter,
            "laplacian": self.laplacian,
            "tile": self.tile,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class FilmChoice:
    """The options of films: `zoom` is the number of frames of a zoom into the photo, None for no zoom."""

    zoom: int | None
    zoom_by: float
    rotate: float
    keep: float
    rate: float | None

    def check(self) -> None:
        """Refuses what no film can have."""
        from featviz.dreaming.dream_checks import check_carried, check_rate, check_zoom

        if self.zoom is not None:
            check_zoom(frames=self.zoom, zoom=self.zoom_by, rotate=self.rotate)
        check_carried(self.keep)
        if self.rate is not None:
            check_rate(self.rate)


def _parse_count(option: str) -> Parsed:
    """The type of an option that is a whole number, or None for `auto`."""

    def parse(text: str) -> int | None:
        if text == "auto":
            return None
        if not text.isdecimal():
            raise FeatvizError(f"{option} is `{text}`; expected a whole number or auto")
        return int(text)

    return Parsed(parse)


dream_options = option_group(
    "choice",
    DreamChoice,
    click.option(
        "--octaves",
        type=_parse_count("--octaves"),
        metavar="N",
        default="auto",
        show_default=True,
        help="Dream at N sizes of the photo, or auto.",
    ),
    click.option(
        "--octave-scale",
        type=float,
        default=1.4,
        show_default=True,
        help="Enlarge the photo by this factor from one octave to the next.",
    ),
    click.option("--steps", type=int, default=10, show_default=True, help="Run this many steps in each octave."),
    click.option(
        "--step-size", type=float, default=1.5, show_default=True, help="Change pixels by this mean in a step, of 255."
    ),
    click.option(
        "--jitter", type=int, default=32, show_default=True, help="Shift the photo by at most this many random pixels."
    ),
    click.option(
        "--laplacian",
        type=int,
        default=0,
        show_default=True,
        help="Normalize the gradient in this many frequency bands.",
    ),
    click.option(
        "--tile",
        type=_parse_count("--tile"),
        metavar="PX",
        default="auto",
        show_default=True,
        help="Compute large photos in tiles of PX pixels a side; 0 for no tiles, or auto.",
    ),
    seed_option,
)
film_options = option_group(
    "film",
    FilmChoice,
    click.option("--zoom", type=int, metavar="FRAMES", help="Make a film of FRAMES frames that zooms into the photo."),
    click.option(
        "--zoom-by", type=float, default=0.05, show_default=True, help="Crop this share of each frame for the next."
    ),
    click.option(
        "--rotate", type=float, default=0.0, show_default=True, help="Rotate by this many degrees from frame to frame."
    ),
    click.option(
        "--keep",
        type=float,
        default=0.3,
        show_default=True,
        help="Carry this share of a frame's dream over to a video's next frame.",
    ),
    click.option("--rate", type=float, help="Play this many frames a second.  [default: 12, or the video's]"),
)
