"""What a survey says of units: mean, spread, histogram, how many photos they fire on, examples by interval."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from featviz.errors import FeatvizError
from featviz.surveys.receptive_fields import box_around
from featviz.surveys.survey import Survey

# Where examples are taken: percentiles of a unit's activation over the photos, largest first.
INTERVALS = (100, 90, 75, 50, 25, 0)
BINS = 64
# Values of the table that are in memory at once.
AT_ONCE = 1 << 23


@dataclass(frozen=True)
class Statistics:
    """Of each unit of a layer over the photos, of its largest activation on each: arrays of (units,).

    `firing` is the share of photos with an activation above 0; `histogram` counts photos in `BINS` equal bins from
    `low` to `high`, (units, bins), none of a unit that is nan or infinite on any.
    """

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    firing: np.ndarray
    histogram: np.ndarray

    def edges(self, unit: int) -> np.ndarray:
        """The borders of a unit's bins, (bins + 1,)."""
        return np.linspace(self.low[unit], self.high[unit], self.histogram.shape[1] + 1)


@dataclass(frozen=True)
class Example:
    """A photo on which a unit is about as active as a percentile says, and the receptive field's box in it, in pixels.

    `box` is (left, top, right, bottom) of the photo as the network saw it.
    """

    number: int
    photo: str
    activation: float
    percentile: int
    box: tuple[int, int, int, int]


def halves(survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the readable photos in halves A and B: every other one, so that both see every kind of photo."""
    numbers = np.flatnonzero(survey.readable)
    return numbers[::2], numbers[1::2]


def top_photos(column: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """Of some photos the `count` on which a unit is most active, the most active first; `column` is of all photos.

    >>> top_photos(np.array([1.0, 5.0, 3.0, 4.0]), np.array([0, 2, 3]), 2).tolist()
    [3, 2]
    """
    return numbers[np.argsort(-column[numbers], kind="stable")][:count]


def statistics(survey: Survey, layer: str) -> Statistics:
    """The statistics of all units of a layer."""
    parts = [_describe(values[survey.readable]) for _, values in _blocks(survey, layer)]
    return Statistics(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def moments(survey: Survey, layer: str, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a layer's units over some photos, (units,) each, float64."""
    parts = [values[numbers] for _, values in _blocks(survey, layer)]
    mean, sd = (np.concatenate([f(part, 0, dtype=np.float64) for part in parts]) for f in (np.mean, np.std))
    return mean, sd


def _blocks(survey: Survey, layer: str) -> Iterator[tuple[slice, np.ndarray]]:
    units = survey.layer(layer).units
    width = max(1, AT_ONCE // max(len(survey), 1))
    for first in range(0, units, width):
        part = slice(first, min(first + width, units))
        yield part, survey.maxima(layer, units=part)


def _describe(values: np.ndarray) -> tuple[np.ndarray, ...]:
    if not len(values):
        raise FeatvizError("the survey has no photos; expected one that can be read")
    low, high = values.min(0), values.max(0)
    finite = np.isfinite(values).all(0)
    known = np.where(finite, values, 0).astype(np.float64)
    span = np.ptp(known, 0)
    bins = np.minimum(((known - known.min(0)) / np.where(span > 0, span, 1) * BINS).astype(np.int32), BINS - 1)
    units = values.shape[1]
    flat = np.bincount((bins + np.arange(units) * BINS).ravel(), minlength=units * BINS)
    with np.errstate(invalid="ignore"):  # inf - inf
        mean, sd = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    return mean, sd, low, high, (values > 0).mean(0), flat.reshape(units, BINS) * finite[:, None]


def examples(
    survey: Survey, layer: str, unit: int, *, each: int = 3, intervals: tuple[int, ...] = INTERVALS
) -> list[Example]:
    """Photos by activation interval, `each` for a percentile, the most active first; no photo twice.

    100 is the largest activations, 0 the smallest, others those around the percentile.

    Raises: FeatvizError for an unknown layer or unit.
    """
    units = survey.layer(layer).units
    if not 0 <= unit < units:
        raise FeatvizError(f"`unit` {unit} is out of range; {layer} has {units} units, 0 to {units - 1}")
    values, places = survey.maxima(layer, units=unit), survey.positions(layer, units=unit)
    order = np.flatnonzero(survey.readable)
    order = order[np.argsort(values[order], kind="stable")]
    side, grid = survey.receptive_field(layer), survey.grid(layer)
    found, taken = [], set()
    for percentile in intervals:
        middle = percentile / 100 * (len(order) - 1)
        near = [rank for rank in np.argsort(np.abs(np.arange(len(order)) - middle), kind="stable") if rank not in taken]
        chosen = sorted(near[:each], reverse=True)
        taken.update(chosen)
        for number in order[chosen]:
            box = box_around(places[number], grid, side, survey.size)
            found.append(Example(int(number), survey.names[number], float(values[number]), percentile, box))
    return found
