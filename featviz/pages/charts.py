"""Two drawings in SVG: how a score rose, and where a picture stands among photographs."""

import math
from collections.abc import Sequence

import numpy as np

from featviz.pages import text
from featviz.pages.markup import Html, tag
from featviz.pages.records import SurveyRecord

# Points of a curve, more than there are pixels to tell them apart.
POINTS = 160
WIDTH, HEIGHT = 400, 100


def curve(histories: Sequence[np.ndarray]) -> Html | None:
    """The scores over the steps, the first drawn over the others; None where there is nothing to draw.

    The others, of the same unit from other seeds, show on the same scale how far luck goes.
    """
    lines = [np.asarray(history, np.float64) for history in histories]
    lines = [line for line in lines if len(line) > 1 and np.isfinite(line).sum() > 1]
    if not lines or len(histories[0]) < 2 or lines[0].shape != histories[0].shape:
        return None
    values = np.concatenate([line[np.isfinite(line)] for line in lines])
    low, high, steps = float(values.min()), float(values.max()), max(len(line) for line in lines)
    paths = [_line(line, low, high, steps, "first" if not at else "other") for at, line in enumerate(lines)]
    own = lines[0][np.isfinite(lines[0])]
    said = f"Score by step: from {text.number(own[0])} to {text.number(own[-1])} in {text.count(steps)} steps."
    axis = tag("p", tag("span", "step 1"), tag("span", text.count(steps)), class_="axis")
    scale = tag("p", tag("span", text.number(high)), tag("span", text.number(low)), class_="scale")
    return tag("figure", tag("div", _svg(said, *reversed(paths)), scale, class_="plot"), axis, class_="curve")


def histogram(photographs: SurveyRecord) -> Html | None:
    """How many photographs excite the unit how much, and where its picture's activation lies."""
    edges, counts = np.asarray(photographs.edges, np.float64), np.asarray(photographs.counts, np.float64)
    if len(edges) != len(counts) + 1 or not len(counts) or not np.isfinite(edges).all() or counts.max() <= 0:
        return None
    shown = math.isfinite(photographs.picture_activation)
    low = min(edges[0], photographs.picture_activation) if shown else edges[0]
    high = max(edges[-1], photographs.picture_activation) if shown else edges[-1]
    span = (high - low) or 1.0
    bars = []
    for left, right, value in zip(edges[:-1], edges[1:], counts, strict=True):
        # Few photographs are at the far end, which is the end that matters: one must still be seen.
        tall = max(HEIGHT * value / counts.max(), 1.0) if value else 0.0
        if tall:
            start, wide = WIDTH * (left - low) / span, WIDTH * (right - left) / span
            bars.append(
                tag("rect", x=_at(start), y=_at(HEIGHT - tall), width=_at(max(wide - 1, 0.5)), height=_at(tall))
            )
    said = f"Histogram of the largest activation on each of {text.count(photographs.count, of='photograph')}"
    if not shown:
        mark, said = None, said + "."
    else:
        where = 100 * (photographs.picture_activation - low) / span
        side = " end" if where > 50 else ""
        note = tag("span", "this picture ", tag("b", text.number(photographs.picture_activation)))
        mark = tag("div", note, class_="mark" + side, style=f"left:{where:.2f}%")
        said += f"; this picture reaches {text.number(photographs.picture_activation)}."
    axis = tag("p", tag("span", text.number(low)), tag("span", text.number(high)), class_="axis")
    return tag("figure", tag("div", _svg(said, *bars), mark, class_="plot"), axis, class_="histogram")


def _line(line: np.ndarray, low: float, high: float, steps: int, name: str) -> Html:
    at = np.unique(np.linspace(0, len(line) - 1, min(len(line), POINTS)).astype(int))
    at = at[np.isfinite(line[at])]
    x = WIDTH * at / max(steps - 1, 1)
    y = HEIGHT - (HEIGHT - 4) * (line[at] - low) / ((high - low) or 1.0) - 2
    points = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return tag("path", d="M" + points, class_=name)


def _svg(said: str, *children: Html) -> Html:
    box = f"0 0 {WIDTH} {HEIGHT}"
    return tag("svg", *children, viewBox=box, preserveAspectRatio="none", role="img", aria_label=said)


def _at(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
