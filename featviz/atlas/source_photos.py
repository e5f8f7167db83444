"""Where a photograph of a survey lies on the disk, and where in it a box lies that the network saw."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from featviz.surveys.photos import quiet
from featviz.surveys.receptive_fields import Box
from featviz.surveys.survey import Survey

# EXIF's tag of how the camera was held, and those of its values for which width and height change places.
ORIENTATION, SIDEWAYS = 0x0112, range(5, 9)


@dataclass(frozen=True)
class Original:
    """A photograph's file:// address and its (width, height) in pixels, upright; which window of it was surveyed.

    `window` is (a side's windows, number), as of `featviz.surveys.photos.prepare`.
    """

    href: str
    whole: tuple[int, int]
    window: tuple[int, int]


def original_of(survey: Survey, number: int) -> Original | None:
    """The file that a photograph of a survey was read from; None where the survey keeps its photographs itself."""
    if "images" in survey.store.group:
        return None
    file, window = divmod(number, survey.windows**2)
    path = (survey.folder / survey.files[file]).resolve()
    return Original(path.as_uri(), _upright_size(path), (survey.windows, window))


def to_original(
    box: Box, size: tuple[int, int], whole: tuple[int, int], *, window: tuple[int, int] = (1, 0)
) -> tuple[float, float, float, float]:
    """A box of what the network saw, at `size` (height, width), in pixels of the `whole` (width, height) photograph.

    The photograph was scaled to cover the size (k + 1) / 2 times, k windows a side, and the window cut out of it.

    >>> to_original((0, 0, 50, 100), (100, 100), (400, 200))
    (100.0, 0.0, 200.0, 200.0)
    >>> to_original((0, 0, 50, 100), (100, 100), (400, 200), window=(2, 1))
    (266.66..., 0.0, 333.33..., 133.33...)
    """
    count, number = window
    row, column = divmod(number, count)
    scale = (count + 1) / 2 * max(size[0] / whole[1], size[1] / whole[0])
    left, top = (
        max(full - side / scale, 0.0) * (at / (count - 1) if count > 1 else 0.5)
        for full, side, at in ((whole[0], size[1], column), (whole[1], size[0], row))
    )
    return left + box[0] / scale, top + box[1] / scale, left + box[2] / scale, top + box[3] / scale


def _upright_size(path: Path) -> tuple[int, int]:
    """Of an image whose pixels need not be decoded for that."""
    from PIL import Image

    turned = False
    with quiet(), Image.open(path) as file:
        with suppress(ValueError, SyntaxError, TypeError, KeyError, EOFError):  # of damaged EXIF
            turned = file.getexif().get(ORIENTATION, 1) in SIDEWAYS
        width, height = file.size
    return (height, width) if turned else (width, height)
