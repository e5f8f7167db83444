"""Two charts: a score over the steps, and a histogram with a marked value. `charts.html` draws them as SVG.

Coordinates are those of a view box of `WIDTH` x `HEIGHT`, which the page stretches to the chart's size.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real

from featviz.pages.formatting import format_count, format_number

WIDTH, HEIGHT = 400, 100
# Points of a curve: a screen shows no more.
MAX_POINTS = 160
# Space above and below a curve, so that its line is not cut at the edges.
INSET = 2


class ScoreChart(NamedTuple):
    """Curves of scores as SVG paths, the first one last since it is drawn above the others; labels of the axes."""

    description: str
    paths: tuple[str, ...]
    low: str
    high: str
    first_step: str
    last_step: str


class Bar(NamedTuple):
    """A bar's rectangle, in decimals for SVG."""

    x: str
    y: str
    width: str
    height: str


class Marker(NamedTuple):
    """A marked value: its text, its distance from the left in percent, and whether its text stands left of it."""

    text: str
    percent: float
    text_left: bool


class HistogramChart(NamedTuple):
    """Bars, a marker or None, labels of the axis."""

    description: str
    bars: tuple[Bar, ...]
    marker: Marker | None
    low: str
    high: str


def score_chart(
    histories: Sequence[Float[np.ndarray, " points"]], *, steps: Sequence[Real[np.ndarray, " points"]] | None = None
) -> ScoreChart | None:
    """The scores over the steps, or None if there is nothing to draw.

    Args:
      histories: one series for each run, the one to highlight first. Runs from other seeds, on the same scale, show
        how much the score varies.
      steps: the steps at which each series has its scores, ascending. None: 1, 2, 3 and so on.

    >>> chart = score_chart([np.array([0.0, 2.0, 3.0])])
    >>> chart.paths, chart.high, chart.description
    (('M0.0 98.0L200.0 34.0L400.0 2.0',), '3', 'Score by step: from 0 to 3 in 3 steps.')
    """
    series = [np.asarray(history, np.float64) for history in histories]
    places = [np.arange(1, len(scores) + 1) for scores in series] if steps is None else list(map(np.asarray, steps))
    drawable = [pair for pair in zip(places, series, strict=True) if np.isfinite(pair[1]).sum() > 1]
    if not series or not drawable or drawable[0][1] is not series[0]:
        return None
    values = np.concatenate([scores[np.isfinite(scores)] for _, scores in drawable])
    low, high = float(values.min()), float(values.max())
    start, end = (bound(bound(at) for at, _ in drawable) for bound in (min, max))
    first = series[0][np.isfinite(series[0])]
    return ScoreChart(
        description=f"Score by step: from {format_number(first[0])} to {format_number(first[-1])} "
        f"in {format_count(int(end))} steps.",
        paths=tuple(_path((at - start) / (end - start), scores, low, high) for at, scores in reversed(drawable)),
        low=format_number(low),
        high=format_number(high),
        first_step=format_count(int(start)),
        last_step=format_count(int(end)),
    )


def histogram_chart(
    edges: Real[np.ndarray, " bins+1"], counts: Real[np.ndarray, " bins"], *, marked: float, description: str
) -> HistogramChart | None:
    """A histogram and where a value lies in it, or None if there is nothing to draw.

    Args:
      edges: the bins' edges, ascending.
      counts: how many values each bin has.
      marked: the value to mark; it may lie outside the bins, and is not marked if it is not finite.
      description: what is counted, without a full stop.

    >>> chart = histogram_chart(np.array([0, 1, 2]), np.array([4, 1]), marked=1.5, description="Photographs")
    >>> chart.bars[1], chart.marker
    (Bar(x='200', y='75', width='199', height='25'), Marker(text='1.5', percent=75.0, text_left=True))
    """
    edges, counts = np.asarray(edges, np.float64), np.asarray(counts, np.float64)
    if len(edges) != len(counts) + 1 or not len(counts) or not np.isfinite(edges).all() or counts.max() <= 0:
        return None
    has_mark = math.isfinite(marked)
    low, high = float(edges[0]), float(edges[-1])
    if has_mark:
        low, high = min(low, marked), max(high, marked)
    span = (high - low) or 1.0
    bars = [
        _bar(WIDTH * (start - low) / span, WIDTH * (end - start) / span, HEIGHT * count / counts.max())
        for start, end, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    percent = 100 * (marked - low) / span if has_mark else 0.0
    return HistogramChart(
        description=f"{description}; this picture reaches {format_number(marked)}." if has_mark else f"{description}.",
        bars=tuple(bars),
        marker=Marker(format_number(marked), percent, percent > 50) if has_mark else None,
        low=format_number(low),
        high=format_number(high),
    )


def _path(across: Real[np.ndarray, " points"], scores: Float[np.ndarray, " points"], low: float, high: float) -> str:
    """The curve of scores; `across` are their places from 0 at the left to 1 at the right."""
    indices = np.unique(np.linspace(0, len(scores) - 1, min(len(scores), MAX_POINTS)).astype(int))
    indices = indices[np.isfinite(scores[indices])]
    x = WIDTH * across[indices]
    y = HEIGHT - INSET - (HEIGHT - 2 * INSET) * (scores[indices] - low) / ((high - low) or 1.0)
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _bar(x: float, width: float, height: float) -> Bar:
    # Few values lie at the far end, which is the end that matters: a bar of one value must still be visible.
    height = max(height, 1.0)
    return Bar(*(_decimal(value) for value in (x, HEIGHT - height, max(width - 1, 0.5), height)))


def _decimal(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
