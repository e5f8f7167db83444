"""Many pictures at a glance: the contact sheet."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from featviz.common.files import check_suffix, check_writable, write_atomic
from featviz.errors import FeatvizError
from featviz.pictures.captions import OUTCOME_TEXTS, SEPARATOR, Captions, fit_start, make_captions
from featviz.pictures.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# Pictures narrower than this are enlarged by an integer factor, so that they can be seen and captioned.
SMALLEST_CELL = 96
SHEET_SUFFIXES = (".png", ".webp")


class SheetLayout(NamedTuple):
    """The measures of a contact sheet in pixels.

    `title` and `caption` are the heights of the title and of a caption, 0 for none; `line_height` is that of one line
    of a caption, `font` the font's size, `factor` the enlargement of pictures.
    """

    size: tuple[int, int]
    columns: int
    rows: int
    cell: tuple[int, int]
    factor: int
    gap: int
    title: int
    caption: int
    line_height: int
    font: int
    captions: Captions

    def corner(self, index: int) -> tuple[int, int]:
        """The left and top edge of a picture's cell."""
        row, column = divmod(index, self.columns)
        width, height = self.cell
        return self.gap + column * (width + self.gap), self.title + self.gap + row * (height + self.caption + self.gap)


def contact_sheet(
    pictures: Sequence[Picture],
    *,
    columns: int | None = None,
    captions: bool = True,
    notes: Sequence[str] | None = None,
    background: str = "white",
) -> "Image":
    """The pictures in a grid, in their order, each pixel as it is, with unit or class and score below.

    A cell has the size of the largest picture; if that is below 96 pixels, all are enlarged by one integer factor. The
    sheet is columns * (cell width + gap) + gap pixels wide and title + rows * (cell height + caption + gap) + gap high.

    Args:
      pictures: one picture or more, of any sizes.
      columns: pictures in a row; by default about the square root of their number, at most 8.
      captions: whether to write the captions, and a title with the network and the layer that all share.
      notes: a text for each picture, before its score.
      background: the color of the paper, such as `white` or `#202020`.

    Returns:
      A PIL image, RGB.

    Raises:
      FeatvizError: if there is no picture, `columns` is below 1, or `background` is not a color.

    >>> import numpy as np
    >>> from featviz.ascent.outcome import Outcome
    >>> from featviz.pictures.picture import Picture
    >>> picture = Picture(np.zeros((96, 128, 3)), 1.0, Outcome.CONVERGED, [], {"name": "conv1:7"})
    >>> contact_sheet([picture] * 3, columns=3, captions=False).size
    (400, 104)
    """
    from PIL import Image, ImageColor, ImageDraw

    pictures = as_pictures(pictures)
    try:
        paper = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise FeatvizError(f"`background` is `{background}`; expected a color, such as `white`") from None
    layout = plan_sheet(pictures, columns=columns, captions=captions, notes=notes)
    sheet = Image.new("RGB", layout.size, paper)
    for index, picture in enumerate(pictures):
        image = picture.preview()
        image = image.resize((image.width * layout.factor, image.height * layout.factor), Image.Resampling.NEAREST)
        # A smaller picture is centered at the bottom of its cell, next to the caption.
        (left, top), (width, height) = layout.corner(index), layout.cell
        corner = (left + (width - image.width) // 2, top + height - image.height)
        sheet.paste(image.convert("RGB"), corner, image.getchannel("A") if "A" in image.getbands() else None)
    if captions:
        _draw_captions(ImageDraw.Draw(sheet), layout, pictures, is_dark=sum(paper) < 3 * 128)
    return sheet


def _draw_captions(draw: "ImageDraw", layout: SheetLayout, pictures: Sequence[Picture], *, is_dark: bool) -> None:
    # One color for names, a paler one for scores, and one for pictures that failed.
    name_color, pale, alarm = ("#f0f0f0", "#a8a8a8", "#ff9080") if is_dark else ("#202020", "#707070", "#b02010")
    font, gap = _font(layout.font), layout.gap
    if layout.title:
        title = fit_start(layout.captions.title, layout.size[0] - 2 * gap, font)
        draw.text((gap, gap), title, font=font, fill=name_color)
    for index, (picture, (name, score)) in enumerate(zip(pictures, layout.captions.texts, strict=True)):
        left, top = layout.corner(index)
        line = top + layout.cell[1] + gap // 4
        draw.text((left, line), name, font=font, fill=name_color)
        one_line = layout.captions.lines == 1
        start = (left + font.getlength(name + SEPARATOR), line) if one_line else (left, line + layout.line_height)
        draw.text(start, score, font=font, fill=alarm if picture.outcome in OUTCOME_TEXTS else pale)


def plan_sheet(
    pictures: Sequence[Picture],
    *,
    columns: int | None = None,
    captions: bool = True,
    notes: Sequence[str] | None = None,
) -> SheetLayout:
    """The measures of the contact sheet that `contact_sheet` makes of the same arguments."""
    pictures = as_pictures(pictures)
    columns = near_square(len(pictures)) if columns is None else columns
    if columns < 1:
        raise FeatvizError(f"`columns` is {columns}; expected 1 or more")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    heights, widths = zip(*(picture.pixels.shape[:2] for picture in pictures), strict=True)
    factor = max(1, math.ceil(SMALLEST_CELL / max(heights + widths)))
    height, width = max(heights) * factor, max(widths) * factor
    # In proportion to the cell: sheets are shown and printed at the size of a page.
    gap, font = max(4, width // 32), min(max(10, round(width / 11)), 40)
    texts = make_captions(pictures, width, _font(font), notes=notes)
    line_height = font + font // 4
    caption = font + font // 2 + (texts.lines - 1) * line_height if captions else 0
    title = font + font // 2 if captions and texts.title else 0
    return SheetLayout(
        size=(columns * (width + gap) + gap, title + rows * (height + caption + gap) + gap),
        columns=columns,
        rows=rows,
        cell=(width, height),
        factor=factor,
        gap=gap,
        title=title,
        caption=caption,
        line_height=line_height,
        font=font,
        captions=texts,
    )


def near_square(count: int) -> int:
    """The number of columns: about the square root, at most 8, with the fewest empty cells.

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
    """Writes `contact_sheet` as .png or as lossless .webp, atomically.

    Raises:
      FeatvizError: as `contact_sheet`, and if the extension is unknown or the file cannot be written.
    """
    suffix = check_suffix(path, SHEET_SUFFIXES)
    check_writable(path)
    sheet = contact_sheet(pictures, columns=columns, captions=captions, notes=notes, background=background)
    buffer = io.BytesIO()
    try:
        sheet.save(buffer, suffix[1:].upper(), **({"lossless": True} if suffix == ".webp" else {}))
    except (OSError, ValueError):
        size = f"{sheet.width} x {sheet.height}"
        raise FeatvizError(f"a sheet of {size} is too large for `{suffix}`; expected a `.png` path") from None
    return write_atomic(path, buffer.getvalue())


def as_pictures(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures as a list.

    Raises:
      FeatvizError: if there is none.
    """
    listed = list(pictures)
    if not listed:
        raise FeatvizError("`pictures` is empty; expected at least one picture")
    return listed


def _font(size: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.load_default(size=size)  # type: ignore[return-value]
