"""Evidence to look at: a picture, photographs by activation interval, a histogram with the picture in it, figures."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.common.files import check_writable, known_suffix, write_whole
from featviz.errors import FeatvizError
from featviz.evaluation.evaluate import UnitEvidence
from featviz.evaluation.evidence import Evidence, unit_of
from featviz.pictures.picture import Picture
from featviz.surveys.statistics import INTERVALS, Statistics, examples, statistics
from featviz.surveys.survey import Survey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".pdf", ".svg", ".webp")
# Photographs of an interval, side by side in two rows: of the largest more, since they say most.
LARGEST, EACH = 4, 2
TITLES = {100: "largest", 0: "smallest"}
INK, PALE, PICTURE = "#202020", "#8a8a8a", "#c23b22"


def draw_evidence(
    pictures: Sequence[Picture], survey: Survey, found: Evidence, *, shown: Survey | None = None
) -> "Figure":
    """A matplotlib figure with one row a unit: its first picture, photographs by interval, histogram, figures.

    `shown` is another survey of the same network from which the photographs shown are taken, `survey` by default; the
    histogram and the figures are of `survey`. The number under a photograph is the unit's activation.
    """
    from matplotlib.figure import Figure

    shown = survey if shown is None else shown
    first: dict[str, Picture] = {}
    for picture in pictures:
        first.setdefault("{}:{}".format(*unit_of(picture, survey)), picture)
    columns = 2 * LARGEST // 4 + (len(INTERVALS) - 1) * EACH // 2
    figure = Figure(figsize=(2 * (1 + 0.5 * columns + 1.05 + 1.35) + 0.4, 2.15 * len(found.rows) + 0.3))
    grid = figure.add_gridspec(
        len(found.rows), 3, width_ratios=(1 + 0.5 * columns, 1.05, 1.35), hspace=0.16, wspace=0.06,
        left=0.01, right=0.99, top=1 - 0.32 / (2.15 * len(found.rows) + 0.3), bottom=0.02,
    )  # fmt: skip
    described: dict[str, Statistics] = {}
    for row, judgment in enumerate(found.rows):
        layer, unit = unit_of(first[judgment.name], survey)
        described.setdefault(layer, statistics(survey, layer))
        photos = grid[row, 0].subgridspec(2, 2 + columns, hspace=0.12, wspace=0.05)
        _show(figure.add_subplot(photos[:, :2]), first[judgment.name].preview(), judgment.name, top=True, bold=True)
        _photos(figure, photos, shown, layer, unit, titled=row == 0)
        _histogram(figure.add_subplot(grid[row, 1]), described[layer], unit, judgment, last=row == len(found.rows) - 1)
        _words(figure.add_subplot(grid[row, 2]), judgment)
    return figure


def save_evidence(figure: "Figure", path: str | os.PathLike[str]) -> Path:
    """Writes the figure as .png, .pdf, .svg or .webp, whole or not at all."""
    suffix = known_suffix(path, SUFFIXES)
    check_writable(path)
    buffer = io.BytesIO()
    try:
        figure.savefig(buffer, format=suffix[1:], dpi=110)
    except (OSError, ValueError):
        raise FeatvizError(
            f"a figure of {len(figure.axes)} parts is too large for `{suffix}`; give fewer pictures"
        ) from None
    return write_whole(path, buffer.getvalue())


def _photos(figure: "Figure", grid: Any, shown: Survey, layer: str, unit: int, *, titled: bool) -> None:
    column = 2
    for percentile in INTERVALS:
        count = LARGEST if percentile == 100 else EACH
        found = [each for each in examples(shown, layer, unit, each=LARGEST) if each.percentile == percentile][:count]
        for index, each in enumerate(found):
            left, top, right, bottom = each.box
            axes = figure.add_subplot(grid[index % 2, column + index // 2])
            title = TITLES.get(percentile, f"{percentile} %") if titled and index == 0 else ""
            pixels = shown.photo(each.number)[top:bottom, left:right]
            _show(axes, pixels[..., 0] if pixels.shape[-1] == 1 else pixels, title, top=True)
            axes.text(0.04, 0.04, f"{each.activation:.3g}", transform=axes.transAxes, fontsize=6, color="white",
                      bbox={"facecolor": "black", "alpha": 0.55, "pad": 1, "linewidth": 0})  # fmt: skip
        column += count // 2


def _show(axes: Any, image: Any, title: str, *, top: bool, bold: bool = False) -> None:
    axes.imshow(image, interpolation="lanczos" if bold else "antialiased", cmap="gray")
    axes.set_axis_off()
    if title and top:
        axes.set_title(title, fontsize=8, color=INK, loc="left", pad=3, fontweight="bold" if bold else "normal")


def _histogram(axes: Any, of: Statistics, unit: int, judgment: UnitEvidence, *, last: bool) -> None:
    edges, counts = of.edges(unit), of.histogram[unit]
    axes.stairs(counts / max(counts.sum(), 1), edges, fill=True, color="#9db4c8")
    axes.axvline(judgment.activation, color=PICTURE, linewidth=1.5)
    axes.set_yticks([])
    axes.tick_params(labelsize=6, colors=PALE, length=2)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
    right = max(float(of.high[unit]), judgment.activation)
    near = judgment.activation > (right + float(of.low[unit])) / 2
    axes.text(
        judgment.activation, 0.97, " picture ", transform=axes.get_xaxis_transform(), fontsize=6.5, color=PICTURE,
        ha="right" if near else "left", va="top",
    )  # fmt: skip
    axes.text(0.02, 0.97, "photographs", transform=axes.transAxes, fontsize=6.5, color="#60788c", va="top")
    axes.margins(x=0.02)


def _words(axes: Any, judgment: UnitEvidence) -> None:
    axes.set_axis_off()
    for line, (name, value, note) in enumerate(lines_of(judgment)):
        at = 0.97 - line * 0.14
        axes.text(0.0, at, name, fontsize=7, color=INK, va="top")
        axes.text(0.34, at, value, fontsize=7, color=INK, va="top", fontweight="bold")
        axes.text(0.53, at, note, fontsize=6, color=PALE, va="top")
    trusted, said = verdict(judgment)
    ink = {True: INK, None: PALE, False: PICTURE}[trusted]
    axes.text(0.0, 0.12, said, fontsize=7, color=ink, va="top", fontweight="bold", wrap=True)


def lines_of(judgment: UnitEvidence) -> list[tuple[str, str, str]]:
    """The figures E0 to E5 in words: name, value, what to compare it with."""
    j = judgment
    return [
        ("E0 alive", f"{j.deviations:.3g} sd", f"percentile {j.percentile:.0f}"),
        ("E1 predicts", _share(j.predicts), f"photos {_share(j.photos)}, others {_share(j.others)}"),
        ("E2 selective", "-" if np.isnan(j.rank) else f"rank {j.rank:.0f}", ""),
        ("E3 survives", _share(j.survives), "as much as photos: 1"),
        ("E4 path", _share(j.path), f"company {_number(j.company)} sd"),
        (
            "E5 transfers",
            "-" if np.isnan(j.foretold_percentile) else f"{j.foretold_percentile:.0f} %",
            f"r {_share(j.foretold)}",
        ),
    ]


def verdict(judgment: UnitEvidence) -> tuple[bool | None, str]:
    """Whether the unit's picture is trusted, None where that cannot be told, and the same in words."""
    if judgment.trusted:
        return True, "nothing speaks against it"
    if judgment.trusted is None:
        return None, "cannot be told: " + ", ".join(judgment.untold)
    return False, "do not trust: " + ", ".join(judgment.reasons)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2g}"


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}".replace("0.", ".") if 0 <= value < 1 else f"{value:.2f}"


def table(found: Evidence) -> str:
    """The judgments as lines of text, a unit a line, and the means with their 95 % intervals."""
    width = max(len(row.name) for row in found.rows)
    heads = ["E0 sd", "E1", "photos", "others", "hard", "E2", "E3", "E4", "company", "E5 %", "E5 r"]
    names = ["deviations", "predicts", "photos", "others", "predicts_hard", "rank", "survives", "path", "company"]
    names += ["foretold_percentile", "foretold"]
    lines = [" ".join(["unit".ljust(width), *(head.rjust(8) for head in heads)])]
    for row in found.rows:
        values = [f"{getattr(row, name):8.3g}" for name in names]
        doubted = [] if row.trusted else [f" {verdict(row)[1]}"]
        lines.append(" ".join([row.name.ljust(width), *values, *doubted]))
    means: Mapping[str, tuple[float, float, float]] = found.means()
    for label, index in (("mean", 0), ("95 % from", 1), ("to", 2)):
        lines.append(" ".join([label.ljust(width), *(f"{means[name][index]:8.3g}" for name in names)]))
    return "\n".join(lines)
