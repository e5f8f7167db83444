"""The scores of many pictures as curves over the steps, each with its name at its end."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from featviz.common.files import check_suffix, check_writable, write_atomic
from featviz.errors import FeatvizError
from featviz.pictures.captions import OUTCOME_TEXTS, same_layer, sheet_title, short_name
from featviz.pictures.picture import Picture
from featviz.pictures.sheets import as_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
# More curves than this get no labels: they would cover one another.
MAX_LABELS = 64
# Of more pictures the scores of single steps are not drawn: they would hide the curves.
MAX_FAINT = 10


class LineEnd(NamedTuple):
    """The last finite point of a curve, with its name and its color."""

    step: float
    score: float
    name: str
    color: tuple[float, ...]


def score_curves(pictures: Sequence[Picture]) -> "Figure":
    """The score of the picture as it is at each look, as one line for each picture with its name at the end.

    Of up to 10 pictures a faint line shows the score of each step as well, on the transformed views that the ascent
    sees; how strong the transforms are may change from step to step. A picture without `clean_history` has its
    `history` as its line. Scores that are not finite leave a gap. With more than 64 pictures the lines have no names.

    Args:
      pictures: one picture or more.

    Returns:
      A matplotlib figure, which is not among pyplot's.

    Raises:
      FeatvizError: if there is no picture, or none has a history.

    >>> from featviz.ascent.outcome import Outcome
    >>> picture = Picture(np.zeros((2, 3, 1)), 2.0, Outcome.CONVERGED, [0.5, 1.5, 2.0], {"name": "conv1:7"})
    >>> [line.get_ydata().tolist() for line in score_curves([picture]).axes[0].lines]
    [[0.5, 1.5, 2.0]]
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    pictures = as_pictures(pictures)
    if not any(picture.history.size or picture.clean_history.size for picture in pictures):
        raise FeatvizError("`pictures` have no history; expected at least one with the scores of its steps")
    count = len(pictures)
    labeled = count <= MAX_LABELS
    font = 8 if count <= 24 else 6
    # High enough for the labels, at 1.5 lines each.
    height = max(3.6, labeled * count * font * 1.5 / 72 + 0.8)
    figure = Figure(figsize=(6.5, height), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    title, full = sheet_title(pictures), not same_layer(pictures)
    ends: list[LineEnd] = []
    has_faint = False
    for index, picture in enumerate(pictures):
        color = colormaps["tab10"](index) if count <= 10 else colormaps["viridis"](0.92 * index / (count - 1))
        steps, values = np.arange(1, picture.history.size + 1), _finite(picture.history)
        if picture.clean_history.size:
            if count <= MAX_FAINT:
                axes.plot(steps, values, color=color, linewidth=0.6, alpha=0.35)
                has_faint = True
            steps, values = picture.clean_history[:, 0], _finite(picture.clean_history[:, 1])
        # A single point makes no line.
        marker = "." if values.size == 1 else ""
        axes.plot(steps, values, color=color, linewidth=1.2 if count <= 10 else 0.8, marker=marker)
        finite = np.flatnonzero(np.isfinite(values))
        text = f"{_short(short_name(picture, full=full))} {OUTCOME_TEXTS.get(picture.outcome, '')}".strip()
        if finite.size:
            ends.append(LineEnd(float(steps[finite[-1]]), float(values[finite[-1]]), text, color))
    axes.set_xlabel("step")
    axes.set_ylabel("score")
    if has_faint:
        axes.set_xlabel("step\nbold: the picture itself; faint: its transformed views", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    if labeled and ends:
        _label_ends(axes, ends, font)
    if title:
        axes.set_title(_short(title, 60), fontsize=9, loc="left")
    return figure


def save_curves(pictures: Sequence[Picture], path: str | os.PathLike[str]) -> Path:
    """Writes `score_curves` as .png, .svg or .pdf, atomically; the same pictures give the same bytes.

    Raises:
      FeatvizError: as `score_curves`, and if the extension is unknown or the file cannot be written.
    """
    from matplotlib import rc_context

    suffix, buffer = check_suffix(path, SUFFIXES), io.BytesIO()
    check_writable(path)
    # No date, and no random names.
    undated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with rc_context({"svg.hashsalt": "featviz"}):
        score_curves(pictures).savefig(buffer, format=suffix[1:], metadata=undated)
    return write_atomic(path, buffer.getvalue())


def spread_labels(positions: Sequence[float], step: float) -> list[float]:
    """Ascending positions in [0,1], moved as little as possible to be `step` apart, or evenly spaced if they cannot be.

    >>> [round(position, 3) for position in spread_labels([0.5, 0.5, 0.95, 1.0], 0.1)]
    [0.45, 0.55, 0.9, 1.0]
    """
    step = min(step, 1 / max(len(positions) - 1, 1))
    # With index * step subtracted, the positions need only ascend: neighbors that do not are pooled at their mean.
    pools: list[tuple[float, int]] = []
    for index, position in enumerate(positions):
        total, count = position - index * step, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    top = max(1 - (len(positions) - 1) * step, 0.0)
    return [min(max(level, 0.0), top) + index * step for index, level in enumerate(levels)]


def _finite(scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The scores, nan where they are not finite."""
    return np.where(np.isfinite(scores), scores, np.nan)


def _label_ends(axes: "Axes", ends: list[LineEnd], font: int) -> None:
    """Names the lines at the right edge, moved apart where their ends are closer than a line of text."""
    low, high = axes.get_ylim()
    right = max(end.step for end in ends)
    # Fractions of the axes' height; about 0.7 inch of the figure's height are its labels and margins.
    step = font * 1.2 / 72 / (axes.figure.get_figheight() - 0.7)  # type: ignore[union-attr]
    ascending = sorted(ends, key=lambda end: end.score)
    positions = spread_labels([(end.score - low) / (high - low) for end in ascending], step)
    for end, position in zip(ascending, positions, strict=True):
        axes.annotate(
            end.name,
            (right, end.score),
            (1.03, position),
            fontsize=font,
            color=end.color,
            xycoords="data",
            textcoords="axes fraction",
            annotation_clip=False,
            va="center",
            arrowprops={"arrowstyle": "-", "color": end.color, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0},
        )
    axes.set_ylim(low, high)


def _short(text: str, max_length: int = 24) -> str:
    return text if len(text) <= max_length else "…" + text[1 - max_length :]
