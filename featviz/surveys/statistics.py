"""Statistics of units over a survey: mean, deviation, histogram, firing rate, and example photographs by interval."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from featviz.errors import FeatvizError
from featviz.surveys.receptive_fields import Box, box_around
from featviz.surveys.survey import Survey

# The percentiles of a unit's activation over the photographs for which there are examples, largest first.
INTERVALS = (100, 90, 75, 50, 25, 0)
BINS = 64
# Values of the table that are in memory at a time.
MAX_VALUES = 1 << 23


@dataclass(frozen=True)
class Statistics:
    """Statistics over photographs of the largest activation of each unit of a layer.

    Attributes:
      mean, sd, low, high: mean, standard deviation, minimum and maximum.
      firing: the share of photographs with an activation above 0.
      histogram: photographs in `BINS` equal bins from `low` to `high`; zeros for a unit that is nan or infinite on any.
    """

    mean: Float[np.ndarray, " units"]
    sd: Float[np.ndarray, " units"]
    low: Float[np.ndarray, " units"]
    high: Float[np.ndarray, " units"]
    firing: Float[np.ndarray, " units"]
    histogram: Int[np.ndarray, "units bins"]

    def edges(self, unit: int) -> Float[np.ndarray, " bins+1"]:
        """The edges of a unit's bins."""
        return np.linspace(self.low[unit], self.high[unit], self.histogram.shape[1] + 1)


@dataclass(frozen=True)
class Example:
    """A photograph on which a unit's activation is near a percentile.

    Attributes:
      index: of the photograph in the survey.
      photo: its name.
      activation: the unit's largest activation on it.
      percentile: which of the intervals it stands for.
      box: the receptive field, (left, top, right, bottom) in pixels of the photograph as the network gets it.
    """

    index: int
    photo: str
    activation: float
    percentile: int
    box: Box


def halves(survey: Survey) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """The indices of the readable photographs in halves A and B, alternating: both have all kinds."""
    indices = np.flatnonzero(survey.readable)
    return indices[::2], indices[1::2]


def top_photos(
    column: Float[np.ndarray, " photos"], indices: Int[np.ndarray, " candidates"], count: int
) -> Int[np.ndarray, " count"]:
    """The photographs on which a unit is most active, the most active first.

    Args:
      column: the unit's activations on all photographs.
      indices: of the photographs to choose from.
      count: how many, at most.

    >>> top_photos(np.array([1.0, 5.0, 3.0, 4.0]), np.array([0, 2, 3]), 2).tolist()
    [3, 2]
    """
    return indices[np.argsort(-column[indices], kind="stable")][:count]


def statistics(survey: Survey, layer: str) -> Statistics:
    """The statistics of all units of a layer over the readable photographs.

    Raises: FeatvizError for a layer that was not surveyed, or a survey without photographs.
    """
    parts = [_describe(values[survey.readable]) for values in _unit_blocks(survey, layer)]
    return Statistics(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def moments(
    survey: Survey, layer: str, indices: Int[np.ndarray, " photos"]
) -> tuple[Float[np.ndarray, " units"], Float[np.ndarray, " units"]]:
    """Mean and standard deviation, float64, of a layer's units over photographs of these indices."""
    parts = [values[indices] for values in _unit_blocks(survey, layer)]
    mean, sd = (np.concatenate([f(part, 0, dtype=np.float64) for part in parts]) for f in (np.mean, np.std))
    return mean, sd


def _unit_blocks(survey: Survey, layer: str) -> Iterator[Float[np.ndarray, "photos units"]]:
    """The maxima of a layer, as many units at a time as memory should hold."""
    units = survey.layer(layer).units
    width = max(1, MAX_VALUES // max(len(survey), 1))
    for first in range(0, units, width):
        yield survey.maxima(layer, units=slice(first, min(first + width, units)))


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
    survey: Survey, layer: str, unit: int, *, per_interval: int = 3, intervals: tuple[int, ...] = INTERVALS
) -> list[Example]:
    """Photographs by activation interval, the most active of each interval first; no photograph twice.

    Args:
      survey: of the network.
      layer: a surveyed layer.
      unit: its index in the layer.
      per_interval: photographs an interval.
      intervals: percentiles: 100 the largest activations, 0 the smallest, others those nearest to the percentile.

    Raises: FeatvizError for an unknown layer or unit.
    """
    units = survey.layer(layer).units
    if not 0 <= unit < units:
        raise FeatvizError(f"`unit` {unit} is out of range; {layer} has {units} units, 0 to {units - 1}")
    values, positions = survey.maxima(layer, units=unit), survey.positions(layer, units=unit)
    order = np.flatnonzero(survey.readable)
    order = order[np.argsort(values[order], kind="stable")]
    receptive_field, grid = survey.receptive_field(layer), survey.grid(layer)
    chosen, taken = [], set()
    for percentile in intervals:
        middle = percentile / 100 * (len(order) - 1)
        nearest = [
            rank for rank in np.argsort(np.abs(np.arange(len(order)) - middle), kind="stable") if rank not in taken
        ]
        ranks = sorted(nearest[:per_interval], reverse=True)
        taken.update(ranks)
        for index in order[ranks]:
            box = box_around(positions[index], grid, receptive_field, survey.size)
            chosen.append(Example(int(index), survey.names[index], float(values[index]), percentile, box))
    return chosen
