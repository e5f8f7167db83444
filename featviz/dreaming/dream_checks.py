"""The numbers that a dream and a film are asked for, checked before a network is loaded."""

import math

from featviz.dreaming.dream_steps import MAX_OCTAVES, ImageSize, count_octaves, octave_sizes
from featviz.errors import FeatvizError
from featviz.rendering.checks import SMALLEST_SIZE, check_count, check_seed


def check_numbers(
    *,
    octaves: int | None,
    octave_scale: float,
    steps: int,
    step_size: float,
    jitter: int,
    laplacian: int,
    tile: int | None,
    seed: int = 0,
) -> None:
    """Refuses numbers that no dream can have, whatever its photo; they are those of `dream`.

    Raises:
      FeatvizError: for one out of range.

    >>> check_numbers(octaves=4, octave_scale=1.4, steps=10, step_size=0.006, jitter=32, laplacian=0, tile=0)
    """
    if octaves is not None:
        check_count("octaves", octaves, 1, MAX_OCTAVES)
    if not 1 < octave_scale <= 16:
        raise FeatvizError(f"`octave_scale` is {octave_scale}; expected a number above 1, up to 16, such as 1.4")
    check_count("steps", steps, 1, 100_000)
    if not 0 < step_size <= 1:
        raise FeatvizError(f"`step_size` is {step_size}; expected a share of the range, such as {1.5 / 255:.4f}")
    check_count("jitter", jitter, 0, 4096)
    check_count("laplacian", laplacian, 0, 12)
    if tile:
        check_count("tile", tile, 64, 4096)
    check_seed(seed)


def choose_octaves(size: ImageSize, training_size: ImageSize, octaves: int | None, *, scale: float) -> int:
    """How many octaves a photo of `size` has: those asked for, or by default as many as suit the network.

    Raises:
      FeatvizError: for a photo that is too small, or whose smallest octave would be.

    >>> choose_octaves((575, 1024), (224, 224), None, scale=1.4)
    4
    """
    if min(size) < SMALLEST_SIZE:
        raise FeatvizError(f"`photo` is {size[0]}x{size[1]} pixels; expected {SMALLEST_SIZE} a side at least")
    if octaves is None:
        return count_octaves(size, training_size, scale=scale)
    smallest = octave_sizes(size, scale=scale, count=octaves)[0]
    if min(smallest) < SMALLEST_SIZE:
        said = f"{smallest[0]}x{smallest[1]}"
        raise FeatvizError(f"`octaves` is {octaves}: the smallest would be {said} pixels; expected fewer octaves")
    return octaves


def check_zoom(*, frames: int, zoom: float, rotate: float) -> None:
    """Refuses a film into a photo that cannot be made; the numbers are those of `dream_film`.

    Raises:
      FeatvizError: for one out of range.

    >>> check_zoom(frames=24, zoom=0.05, rotate=0.0)
    """
    check_count("frames", frames, 1, 1_000_000)
    if not -1 < zoom < 1:
        raise FeatvizError(f"`zoom` is {zoom}; expected a share of the frame between -1 and 1, such as 0.05")
    if not math.isfinite(rotate):
        raise FeatvizError(f"`rotate` is {rotate}; expected degrees from frame to frame, such as 0.5")


def check_carried(keep: float) -> float:
    """The share of a frame's dream that the next frame takes over, as `dream_frames` has it.

    Raises:
      FeatvizError: outside [0,1).

    >>> check_carried(0.3)
    0.3
    """
    if not 0 <= keep < 1:
        raise FeatvizError(f"`keep` is {keep}; expected a number from 0 to below 1, such as 0.3")
    return keep


def check_rate(rate: float) -> float:
    """Frames a second, as `save_film` has them.

    Raises:
      FeatvizError: outside (0,240].

    >>> check_rate(12)
    12
    """
    if not 0 < rate <= 240:
        raise FeatvizError(f"`rate` is {rate}; expected frames a second, up to 240, such as 12")
    return rate
