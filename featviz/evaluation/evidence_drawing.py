"""Evidence drawn: for each unit its picture, photographs by activation interval, a histogram, and the figures."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featviz.common.bands import shown_bands
from featviz.common.files import check_suffix, check_writable, write_atomic
from featviz.errors import FeatvizError
from featviz.evaluation.evaluate import UnitEvidence
from featviz.evaluation.evidence import Evidence, unit_of
from featviz.evaluation.evidence_text import figure_lines, verdict
from featviz.pictures.picture import Picture
from featviz.surveys.statistics import INTERVALS, Statistics, examples, statistics
from featviz.surveys.survey import Survey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecBase
    from PIL.Image import Image

SUFFIXES = (".png", ".pdf", ".svg", ".webp")
# Photographs of an interval, in two rows: more of the largest activations, which are the most informative.
TOP_COUNT, INTERVAL_COUNT = 4, 2
TITLES = {100: "largest", 0: "smallest"}
INK, PALE, PICTURE = "#202020", "#8a8a8a", "#c23b22"
# Inches: the height of a row, its columns beside the photographs, and a photograph's width in a row of height 1.
ROW, MARGIN = 2.15, 0.3
HISTOGRAM, WORDS, PHOTO = 1.05, 1.6, 0.5
# The share of a row's height that the lines of figures take, and what one line takes at most.
LINES, LINE = 0.84, 0.14


def draw_evidence(
    pictures: Sequence[Picture], survey: Survey, evidence: Evidence, *, photos_from: Survey | None = None
) -> "Figure":
    """A matplotlib figure with one row a unit: its picture, photographs by interval, a histogram, the figures.

    The number under a photograph is the unit's activation.

    Args:
      pictures: those of the evidence; the first of each unit is drawn.
      survey: that of the evidence.
      evidence: of `fv.evidence`.
      photos_from: another survey of the same network that the photographs drawn are from; `survey` by default.
    """
    from matplotlib.figure import Figure

    first: dict[str, Picture] = {}
    for picture in pictures:
        first.setdefault("{}:{}".format(*unit_of(picture, survey)), picture)
    rows = evidence.rows
    photo_columns = 2 * TOP_COUNT // 4 + (len(INTERVALS) - 1) * INTERVAL_COUNT // 2
    photo_width, height = 1 + PHOTO * photo_columns, ROW * len(rows) + MARGIN
    figure = Figure(figsize=(2 * (photo_width + HISTOGRAM + WORDS) + 0.4, height))
    grid = figure.add_gridspec(
        len(rows), 3, width_ratios=(photo_width, HISTOGRAM, WORDS), hspace=0.16, wspace=0.06,
        left=0.01, right=0.99, top=1 - 0.32 / height, bottom=0.02,
    )  # fmt: skip
    of_layer: dict[str, Statistics] = {}
    for index, row in enumerate(rows):
        layer, unit = unit_of(first[row.name], survey)
        of_layer.setdefault(layer, statistics(survey, layer))
        photos = grid[index, 0].subgridspec(2, 2 + photo_columns, hspace=0.12, wspace=0.05)
        _draw_image(figure.add_subplot(photos[:, :2]), first[row.name].preview(), row.name, main=True)
        _draw_photos(figure, photos, survey if photos_from is None else photos_from, layer, unit, titled=index == 0)
        _draw_histogram(figure.add_subplot(grid[index, 1]), of_layer[layer], unit, row.activation)
        _draw_words(figure.add_subplot(grid[index, 2]), row)
    return figure


def save_evidence(figure: "Figure", path: str | os.PathLike[str]) -> Path:
    """Writes the figure as .png, .pdf, .svg or .webp, whole or not at all.

    Raises: FeatvizError for another suffix, a path that cannot be written, or a figure too large for the format.
    """
    suffix = check_suffix(path, SUFFIXES)
    check_writable(path)
    buffer = io.BytesIO()
    try:
        figure.savefig(buffer, format=suffix[1:], dpi=110)
    except (OSError, ValueError):
        raise FeatvizError(
            f"a figure of {len(figure.axes)} parts is too large for `{suffix}`; give fewer pictures"
        ) from None
    return write_atomic(path, buffer.getvalue())


def _draw_photos(
    figure: "Figure", grid: "GridSpecBase", survey: Survey, layer: str, unit: int, *, titled: bool
) -> None:
    column, by_interval = 2, examples(survey, layer, unit, per_interval=TOP_COUNT)
    for percentile in INTERVALS:
        count = TOP_COUNT if percentile == 100 else INTERVAL_COUNT
        drawn = [example for example in by_interval if example.percentile == percentile][:count]
        for index, example in enumerate(drawn):
            left, top, right, bottom = example.box
            axes = figure.add_subplot(grid[index % 2, column + index // 2])
            title = TITLES.get(percentile, f"{percentile} %") if titled and index == 0 else ""
            pixels = shown_bands(survey.photo(example.index)[top:bottom, left:right], survey.model.input.rgb)
            _draw_image(axes, pixels[..., 0] if pixels.shape[-1] == 1 else pixels, title)
            axes.text(0.04, 0.04, f"{example.activation:.3g}", transform=axes.transAxes, fontsize=6, color="white",
                      bbox={"facecolor": "black", "alpha": 0.55, "pad": 1, "linewidth": 0})  # fmt: skip
        column += count // 2


def _draw_image(axes: "Axes", image: "np.ndarray | Image", title: str, *, main: bool = False) -> None:
    axes.imshow(image, interpolation="lanczos" if main else "antialiased", cmap="gray")
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=8, color=INK, loc="left", pad=3, fontweight="bold" if main else "normal")


def _draw_histogram(axes: "Axes", of_layer: Statistics, unit: int, activation: float) -> None:
    edges, counts = of_layer.edges(unit), of_layer.histogram[unit]
    axes.stairs(counts / max(counts.sum(), 1), edges, fill=True, color="#9db4c8")
    axes.axvline(activation, color=PICTURE, linewidth=1.5)
    axes.set_yticks([])
    axes.tick_params(labelsize=6, colors=PALE, length=2)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
    right = max(float(of_layer.high[unit]), activation)
    in_right_half = activation > (right + float(of_layer.low[unit])) / 2
    axes.text(
        activation, 0.97, " picture ", transform=axes.get_xaxis_transform(), fontsize=6.5, color=PICTURE,
        ha="right" if in_right_half else "left", va="top",
    )  # fmt: skip
    axes.text(0.02, 0.97, "photographs", transform=axes.transAxes, fontsize=6.5, color="#60788c", va="top")
    axes.margins(x=0.02)


def _draw_words(axes: "Axes", row: UnitEvidence) -> None:
    axes.set_axis_off()
    lines = figure_lines(row)
    for index, line in enumerate(lines):
        y = 0.97 - index * min(LINE, LINES / len(lines))
        axes.text(0.0, y, line.heading, fontsize=7, color=INK, va="top")
        axes.text(0.34, y, line.value, fontsize=7, color=INK, va="top", fontweight="bold")
        axes.text(0.51, y, line.beside, fontsize=6, color=PALE, va="top")
    trusted, words = verdict(row)
    ink = {True: INK, None: PALE, False: PICTURE}[trusted]
    axes.text(0.0, 0.12, words, fontsize=7, color=ink, va="top", fontweight="bold", wrap=True)
