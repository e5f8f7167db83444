"""Many pictures at a glance: the contact sheet."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.ascent.outcome import Outcome
from featviz.common.files import check_writable, known_suffix, write_whole
from featviz.errors import FeatvizError
from featviz.pictures.captions import SPACE, Captions, captions_of, fit_start
from featviz.pictures.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

# Pictures narrower than this are enlarged by a whole factor, so that they can be seen and captioned.
SMALLEST_CELL = 96
SHEET_SUFFIXES = (".png", ".webp")
FAILED = (Outcome.DEAD, Outcome.NOT_FINITE)


def contact_sheet(
    pictures: Sequence[Picture],
    *,
    columns: int | None = None,
    captions: bool = True,
    notes: Sequence[str] | None = None,
    background: str = "white",
) -> "Image":
    """The pictures in a grid, in their order, each pixel as it is, with unit or class and score beneath.

    A title names the network, and the layer where all are of one; `notes`, one a picture, stand before the scores. A
    cell has the size of the largest picture; if that is below 96 pixels, all are enlarged by one whole factor. With the
    measures of `grid`, in pixels, the sheet is columns * (cell width + gap) + gap wide and
    title + rows * (cell height + caption + gap) + gap high.

    Raises: FeatvizError if there is no picture, `columns` is below 1, or no color is called `background`.
    """
    from PIL import Image, ImageColor, ImageDraw

    pictures = checked(pictures)
    try:
        paper = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise FeatvizError(f"`background` is `{background}`; expected a color, as `white`") from None
    layout = grid(pictures, columns=columns, captions=captions, notes=notes)
    (width, height), gap, leading, factor = layout["cell"], layout["gap"], layout["leading"], layout["factor"]
    words: Captions = layout["words"]
    sheet = Image.new("RGB", layout["size"], paper)
    draw, font = ImageDraw.Draw(sheet), _font(layout["font"])
    # Ink that reads on the paper, and a paler one for the scores.
    dark_paper = sum(paper) < 3 * 128
    ink, pale, alarm = ("#f0f0f0", "#a8a8a8", "#ff9080") if dark_paper else ("#202020", "#707070", "#b02010")
    if layout["title"]:
        draw.text((gap, gap), fit_start(words.title, sheet.width - 2 * gap, font), font=font, fill=ink)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, layout["columns"])
        left, top = gap + column * (width + gap), layout["title"] + gap + row * (height + layout["caption"] + gap)
        shown = picture.preview()
        shown = shown.resize((shown.width * factor, shown.height * factor), Image.Resampling.NEAREST)
        # Smaller pictures stand in the middle, on the caption.
        corner = (left + (width - shown.width) // 2, top + height - shown.height)
        sheet.paste(shown.convert("RGB"), corner, shown.getchannel("A") if "A" in shown.getbands() else None)
        if captions:
            name, note = words.of[index]
            line = top + height + gap // 4
            draw.text((left, line), name, font=font, fill=ink)
            color = alarm if picture.outcome in FAILED else pale
            behind = (left + font.getlength(name + SPACE), line) if words.lines == 1 else (left, line + leading)
            draw.text(behind, note, font=font, fill=color)
    return sheet


def grid(
    pictures: Sequence[Picture],
    *,
    columns: int | None = None,
    captions: bool = True,
    notes: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The measures of a contact sheet in pixels: size, columns, rows, cell, factor, gap, title, caption, leading, font.

    `words` are its captions, of no use where `caption` is 0.
    """
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
    words = captions_of(pictures, width, _font(font), notes=notes)
    # A line, and the space to the next.
    leading = font + font // 4
    caption = font + font // 2 + (words.lines - 1) * leading if captions else 0
    title = font + font // 2 if captions and words.title else 0
    size = (columns * (width + gap) + gap, title + rows * (height + caption + gap) + gap)
    measures = {"size": size, "columns": columns, "rows": rows, "cell": (width, height), "words": words}
    measures |= {"title": title, "caption": caption, "leading": leading}
    return {**measures, "factor": factor, "gap": gap, "font": font}


def near_square(count: int) -> int:
    """How many columns: about the square root, at most 8, with the fewest places left empty.

    >>> [near_square(count) for count in (1, 3, 8, 10, 12, 64, 100)]
    [1, 3, 4, 5, 4, 8, 8]
    """
    root = math.ceil(math.sqrt(count))
    return min(range(min(root, 8), min(root + 2, 8) + 1), key=lambda columns: (-count % columns, columns))


def save_sheet(
    pictures: Sequence[Picture],
    path: str | os.PathLike[str],
    *,
    columns: int | None = None,
    captions: bool = True,
    notes: Sequence[str] | None = None,
    background: str = "white",
) -> Path:
    """Writes `contact_sheet` as .png or as lossless .webp, whole or not at all.

    Raises: FeatvizError as `contact_sheet`, and if the extension is unknown or the file cannot be written.
    """
    suffix = known_suffix(path, SHEET_SUFFIXES)
    check_writable(path)
    sheet = contact_sheet(pictures, columns=columns, captions=captions, notes=notes, background=background)
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


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
