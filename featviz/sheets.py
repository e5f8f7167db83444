"""Many pictures at a glance: the contact sheet, and the curves of their scores."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.errors import FeatvizError, nearest
from featviz.picture import Outcome, Picture, check_writable, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

# Pictures narrower than this are enlarged by a whole factor, so that they can be seen and captioned.
SMALLEST_CELL = 96
SHEET_SUFFIXES = (".png", ".webp")
CURVE_SUFFIXES = (".png", ".svg", ".pdf")
SPACE = "  "
# More curves than this get no labels: they would cover one another.
MOST_LABELS = 64
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

    pictures = _checked(pictures)
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
    same_layer = len({_split(picture.name)[0] for picture in pictures}) == 1
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
    pictures = _checked(pictures)
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
    label, note = picture.name if full else _split(picture.name)[1], MARKS.get(picture.outcome, "")
    if not note and math.isfinite(picture.score):
        note = format_score(picture.score)
    unit = _split(picture.name)[1]
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


def score_curves(pictures: Sequence[Picture]) -> "Figure":
    """The score of each step, on transformed views, one line a picture, each labelled at its end.

    What is not finite leaves a gap. Beyond 64 pictures the lines go without labels.

    Raises: FeatvizError if no picture has a history.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    pictures = _checked(pictures)
    if not any(picture.history.size for picture in pictures):
        raise FeatvizError("`pictures` have no history; expected one at least with the score of its steps")
    count = len(pictures)
    labelled = count <= MOST_LABELS
    font = 8 if count <= 24 else 6
    # High enough for the labels, at 1.5 lines each.
    height = max(3.6, labelled * count * font * 1.5 / 72 + 0.8)
    figure = Figure(figsize=(6.5, height), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    same_layer = len({_split(picture.name)[0] for picture in pictures}) == 1
    ends: list[tuple[float, float, str, Any]] = []
    for index, picture in enumerate(pictures):
        color = colormaps["tab10"](index) if count <= 10 else colormaps["viridis"](0.92 * index / (count - 1))
        values = np.where(np.isfinite(picture.history), picture.history, np.nan)
        steps = np.arange(1, values.size + 1)
        # A single point makes no line.
        marker = "." if values.size == 1 else ""
        axes.plot(steps, values, color=color, linewidth=1.2 if count <= 10 else 0.8, marker=marker)
        finite = np.flatnonzero(np.isfinite(values))
        text = _split(picture.name)[1] if same_layer else _short(picture.name)
        text = f"{text} {MARKS.get(picture.outcome, '')}".strip()
        if finite.size:
            ends.append((float(steps[finite[-1]]), float(values[finite[-1]]), text, color))
    axes.set_xlabel("step")
    axes.set_ylabel("score")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    if labelled and ends:
        _label_ends(axes, ends, font)
    if same_layer and _split(pictures[0].name)[0]:
        axes.set_title(_short(_split(pictures[0].name)[0], 60), fontsize=9, loc="left")
    return figure


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
    suffix = _suffix(path, SHEET_SUFFIXES)
    sheet = contact_sheet(pictures, columns=columns, captions=captions, background=background)
    buffer = io.BytesIO()
    try:
        sheet.save(buffer, suffix[1:].upper(), **({"lossless": True} if suffix == ".webp" else {}))
    except (OSError, ValueError):
        size = f"{sheet.width} x {sheet.height}"
        raise FeatvizError(f"a sheet of {size} is too large for `{suffix}`; expected a `.png` path") from None
    return write_whole(path, buffer.getvalue())


def save_curves(pictures: Sequence[Picture], path: str | os.PathLike[str]) -> Path:
    """Writes `score_curves` as .png, .svg or .pdf, whole or not at all; the same bytes each time."""
    from matplotlib import rc_context

    suffix, buffer = _suffix(path, CURVE_SUFFIXES), io.BytesIO()
    # No date, and no random names.
    undated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with rc_context({"svg.hashsalt": "featviz"}):
        score_curves(pictures).savefig(buffer, format=suffix[1:], metadata=undated)
    return write_whole(path, buffer.getvalue())


def _label_ends(axes: Any, ends: list[tuple[float, float, str, Any]], font: int) -> None:
    """Names the lines at the right edge, moved apart where their ends are closer than a line of text."""
    low, high = axes.get_ylim()
    right = max(end for end, _, _, _ in ends)
    # Fractions of the axes' height, about 0.7 inch of the figure being labels and margins.
    step = font * 1.2 / 72 / (axes.figure.get_figheight() - 0.7)
    order = sorted(range(len(ends)), key=lambda index: ends[index][1])
    places = spread([(ends[index][1] - low) / (high - low) for index in order], step)
    for index, place in zip(order, places, strict=True):
        _, value, text, color = ends[index]
        line = {"arrowstyle": "-", "color": color, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0}
        axes.annotate(
            text, (right, value), (1.03, place), xycoords="data", textcoords="axes fraction", fontsize=font,
            color=color, va="center", arrowprops=line, annotation_clip=False,
        )
    axes.set_ylim(low, high)


def spread(places: Sequence[float], step: float) -> list[float]:
    """Ascending places in [0,1], moved as little as needs be to stand `step` apart; evenly if they cannot.

    >>> [round(place, 3) for place in spread([0.5, 0.5, 0.95, 1.0], 0.1)]
    [0.45, 0.55, 0.9, 1.0]
    """
    step = min(step, 1 / max(len(places) - 1, 1))
    # Less their share of steps, the places need only ascend: neighbours that do not are pooled at their mean.
    pools: list[tuple[float, int]] = []
    for index, place in enumerate(places):
        total, count = place - index * step, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    level = [total / count for total, count in pools for _ in range(count)]
    top = 1 - (len(places) - 1) * step
    return [min(max(low, 0.0), max(top, 0.0)) + index * step for index, low in enumerate(level)]


def _checked(pictures: Sequence[Picture]) -> list[Picture]:
    found = list(pictures)
    if not found:
        raise FeatvizError("`pictures` is empty; expected one picture at least")
    return found


def _suffix(path: str | os.PathLike[str], choices: tuple[str, ...]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in choices:
        found = f"ends in `{Path(path).suffix}`" if suffix else "has no extension"
        raise FeatvizError(f"`{path}` {found}; {nearest(suffix, choices)}")
    check_writable(path)
    return suffix


def _split(name: str) -> tuple[str, str]:
    layer, _, unit = name.rpartition(":")
    return layer, unit


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else "…" + text[1 - most :]


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
