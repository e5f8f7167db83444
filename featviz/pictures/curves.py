"""The curves of many pictures' scores, each named at its end."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.common.files import check_writable, known_suffix, write_whole
from featviz.errors import FeatvizError
from featviz.pictures.captions import MARKS, label_of, same_layer, title_of
from featviz.pictures.picture import Picture
from featviz.pictures.sheets import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
# More curves than this get no labels: they would cover one another.
MOST_LABELS = 64


def score_curves(pictures: Sequence[Picture]) -> "Figure":
    """The score of each step, on transformed views, one line a picture, each labeled at its end.

    What is not finite leaves a gap. Beyond 64 pictures the lines go without labels.

    Raises: FeatvizError if no picture has a history.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    pictures = checked(pictures)
    if not any(picture.history.size for picture in pictures):
        raise FeatvizError("`pictures` have no history; expected one at least with the score of its steps")
    count = len(pictures)
    labeled = count <= MOST_LABELS
    font = 8 if count <= 24 else 6
    # High enough for the labels, at 1.5 lines each.
    height = max(3.6, labeled * count * font * 1.5 / 72 + 0.8)
    figure = Figure(figsize=(6.5, height), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    title, full = title_of(pictures), not same_layer(pictures)
    ends: list[tuple[float, float, str, Any]] = []
    for index, picture in enumerate(pictures):
        color = colormaps["tab10"](index) if count <= 10 else colormaps["viridis"](0.92 * index / (count - 1))
        values = np.where(np.isfinite(picture.history), picture.history, np.nan)
        steps = np.arange(1, values.size + 1)
        # A single point makes no line.
        marker = "." if values.size == 1 else ""
        axes.plot(steps, values, color=color, linewidth=1.2 if count <= 10 else 0.8, marker=marker)
        finite = np.flatnonzero(np.isfinite(values))
        text = f"{_short(label_of(picture, full=full))} {MARKS.get(picture.outcome, '')}".strip()
        if finite.size:
            ends.append((float(steps[finite[-1]]), float(values[finite[-1]]), text, color))
    axes.set_xlabel("step")
    axes.set_ylabel("score")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    if labeled and ends:
        _label_ends(axes, ends, font)
    if title:
        axes.set_title(_short(title, 60), fontsize=9, loc="left")
    return figure


def save_curves(pictures: Sequence[Picture], path: str | os.PathLike[str]) -> Path:
    """Writes `score_curves` as .png, .svg or .pdf, whole or not at all; the same bytes each time."""
    from matplotlib import rc_context

    suffix, buffer = known_suffix(path, SUFFIXES), io.BytesIO()
    check_writable(path)
    # No date, and no random names.
    undated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with rc_context({"svg.hashsalt": "featviz"}):
        score_curves(pictures).savefig(buffer, format=suffix[1:], metadata=undated)
    return write_whole(path, buffer.getvalue())


def spread(places: Sequence[float], step: float) -> list[float]:
    """Ascending places in [0,1], moved as little as needs be to stand `step` apart; evenly if they cannot.

    >>> [round(place, 3) for place in spread([0.5, 0.5, 0.95, 1.0], 0.1)]
    [0.45, 0.55, 0.9, 1.0]
    """
    step = min(step, 1 / max(len(places) - 1, 1))
    # Less their share of steps, the places need only ascend: neighbors that do not are pooled at their mean.
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
        where = {"xycoords": "data", "textcoords": "axes fraction", "annotation_clip": False, "va": "center"}
        axes.annotate(text, (right, value), (1.03, place), fontsize=font, color=color, arrowprops=line, **where)
    axes.set_ylim(low, high)


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else "…" + text[1 - most :]
