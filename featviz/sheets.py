"""Many pictures at a glance: the contact sheet."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.errors import FeatvizError
from featviz.files import check_writable, known_suffix, write_whole
from featviz.picture import Outcome, Picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

# Pictures narrower than this are enlarged by a whole factor, so that they can be seen and captioned.
SMALLEST_CELL = 96
SHEET_SUFFIXES = (".png", ".webp")
SPACE = "  "
# What is said of a picture in place of its score.
MARKS = {Outcome.DEAD: "dead", Outcome.NOT_FINITE: "not finite"}


def contact_sheet(
    pictures: Sequence[Picture],
    *,
    columns: int | None = None,
    captions: bool = True,
    background: str = "white",
) -> "Image":
    """The pictures in a grid, in their order, each pixel as it is, with unit and score beneath.

    A cell has the size of the largest picture; if that is below 96 pixels, all are enlarged by one whole
    factor. With the measures of `grid`, in pixels, the sheet is columns * (cell width + gap) + gap wide and
    rows * (cell height + caption + gap) + gap high.

    Raises: FeatvizError if there is no picture, `columns` is below 1, or no colour is called `background`.
    """
    from PIL import Image, ImageColor, ImageDraw

    pictures = checked(pictures)
    try:
        paper = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise FeatvizError(f"`background` is `{background}`; expected a colour, as `white`") from None
    layout = grid(pictures, columns=columns, captions=captions)
    (width, height), gap, factor = layout["cell"], layout["gap"], layout["factor"]
    sheet = Image.new("RGB", layout["size"], paper)
    draw, font = ImageDraw.Draw(sheet), _font(layout["font"])
    # Ink that reads on the paper, and a paler one for the scores.
    dark_paper = sum(paper) < 3 * 128
    ink, pale, alarm = ("#f0f0f0", "#a8a8a8", "#ff9080") if dark_paper else ("#202020", "#707070", "#b02010")
    same_layer = len({split_name(picture.name)[0] for picture in pictures}) == 1
    for index, picture in enumerate(pictures):
        row, column = divmod(index, layout["columns"])
        left, top = gap + column * (width + gap), gap + row * (height + layout["caption"] + gap)
        shown = picture.preview()
        shown = shown.resize((shown.width * factor, shown.height * factor), Image.Resampling.NEAREST)
        # Smaller pictures stand in the middle, on the caption.
        corner = (left + (width - shown.width) // 2, top + height - shown.height)
        sheet.paste(shown.convert("RGB"), corner, shown.getchannel("A") if "A" in shown.getbands() else None)
        if captions:
            label, note = caption_of(picture, width, font, full=not same_layer)
            line = top + height + gap // 4
            draw.text((left, line), label, font=font, fill=ink)
            color = alarm if picture.outcome in MARKS else pale
            draw.text((left + font.getlength(label + SPACE), line), note, font=font, fill=color)
    return sheet


def grid(pictures: Sequence[Picture], *, columns: int | None = None, captions: bool = True) -> dict[str, Any]:
    """The measures of a contact sheet in pixels: size, columns, rows, cell, factor, gap, caption, font."""
    pictures = checked(pictures)
    columns = near_square(len(pictures)) if columns is None else columns
    if columns < 1:
        raise FeatvizError(f"`columns` is {columns}; expected 1 or more")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    shapes = np.array([picture.pixels.shape[:2] for picture in pictures])
    factor = max(1, math.ceil(SMALLEST_CELL / shapes.max()))
    height, width = (int(side) * factor for side in shapes.max(0))
    # In proportion to the cell: a sheet is looked at, or printed, as a whole.
    gap, font = max(4, width // 32), min(max(10, round(width / 11)), 40)
    caption = font + font // 2 if captions else 0
    size = (columns * (width + gap) + gap, rows * (height + caption + gap) + gap)
    measures = {"size": size, "columns": columns, "rows": rows, "cell": (width, height)}
    return {**measures, "factor": factor, "gap": gap, "caption": caption, "font": font}


def near_square(count: int) -> int:
    """How many columns: about the square root, at most 8, with the fewest places left empty.

    >>> [near_square(count) for count in (1, 3, 8, 10, 12, 64, 100)]
    [1, 3, 4, 5, 4, 8, 8]
    """
    root = math.ceil(math.sqrt(count))
    return min(range(min(root, 8), min(root + 2, 8) + 1), key=lambda columns: (-count % columns, columns))


def caption_of(picture: Picture, width: int, font: "FreeTypeFont", *, full: bool = False) -> tuple[str, str]:
    """What stands beneath a picture: its unit, or full name, and then its score or its fate.

    Both fit in `width` pixels together: a name loses its beginning, since the unit tells most; where even
    a bare unit leaves no room, the score goes.
    """
    label, note = picture.name if full else split_name(picture.name)[1], MARKS.get(picture.outcome, "")
    if not note and math.isfinite(picture.score):
        note = format_score(picture.score)
    unit = split_name(picture.name)[1]
    room = width - font.getlength(note + SPACE) if note else width
    least = unit if label == unit else "…:" + unit
    if font.getlength(least) > room and not MARKS.get(picture.outcome):
        room, note = width, ""
    return _fit(label, room, font), note if font.getlength(note) <= width else ""


def format_score(score: float) -> str:
    """A score in three digits or so, as short as it reads.

    >>> [format_score(score) for score in (12.345, -0.5, 1234.5, 1.5e7, 0.0)]
    ['12.3', '-0.5', '1234', '1.5e+07', '0']
    """
    return f"{score:.0f}" if 1000 <= abs(score) < 1e6 else f"{score:.3g}"


def save_sheet(
    pictures: Sequence[Picture],
    path: str | os.PathLike[str],
    *,
    columns: int | None = None,
    captions: bool = True,
    background: str = "white",
) -> Path:
    """Writes `contact_sheet` as .png or as lossless .webp, whole or not at all.

    Raises: FeatvizError as `contact_sheet`, and if the extension is unknown or the file cannot be written.
    """
    suffix = known_suffix(path, SHEET_SUFFIXES)
    check_writable(path)
    sheet = contact_sheet(pictures, columns=columns, captions=captions, background=background)
    buffer = io.BytesIO()
    try:
        sheet.save(buffer, suffix[1:].upper(), **({"lossless": True} if suffix == ".webp" else {}))
    except (OSError, ValueError):
        size = f"{sheet.width} x {sheet.height}"
        raise FeatvizError(f"a sheet of {size} is too large for `{suffix}`; expected a `.png` path") from None
    return write_whole(path, buffer.getvalue())


def checked(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures as a list.

    Raises: FeatvizError if there is none.
    """
    found = list(pictures)
    if not found:
        raise FeatvizError("`pictures` is empty; expected one picture at least")
    return found


def split_name(name: str) -> tuple[str, str]:
    """A picture's name as its layer and its unit.

    >>> split_name("inception_4c:103"), split_name("picture")
    (('inception_4c', '103'), ('', 'picture'))
    """
    layer, _, unit = name.rpartition(":")
    return layer, unit


def _fit(text: str, room: float, font: "FreeTypeFont") -> str:
    """The longest end of the text that fits in `room` pixels, behind an ellipsis if it is not all."""
    if font.getlength(text) <= room:
        return text
    for start in range(1, len(text)):
        if font.getlength("…" + text[start:]) <= room:
            return "…" + text[start:]
    return "…" if font.getlength("…") <= room else ""


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
