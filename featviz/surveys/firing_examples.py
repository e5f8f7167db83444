"""Examples of a unit that is mostly silent: its largest activations, and five parts of the photographs it fires on."""

import numpy as np
from jaxtyping import Float, Int

from featviz.surveys.receptive_fields import box_around
from featviz.surveys.statistics import Example
from featviz.surveys.survey import Survey

# The middles of five equal parts of the photographs on which a unit fires, by activation.
PARTS = (90, 70, 50, 30, 10)


def firing_examples(survey: Survey, layer: str, unit: int, *, largest: int = 9, per_part: int = 4) -> list[Example]:
    """Photographs on which a unit fires, the most active of each interval first; no photograph twice.

    Percentiles are those among the photographs on which the unit fires: of all photographs, most have a sparse unit
    at 0.

    Args:
      survey: of the network.
      layer: a surveyed layer.
      unit: its index in the layer.
      largest: photographs of the largest activations.
      per_part: of each of the five parts of the others.
    """
    values, positions = survey.maxima(layer, units=unit), survey.positions(layer, units=unit)
    field, grid = survey.receptive_field(layer), survey.grid(layer)
    return [
        Example(
            int(index),
            survey.names[index],
            float(values[index]),
            percentile,
            box_around(positions[index], grid, field, survey.size),
        )
        for percentile, indices in firing_parts(values, largest, per_part)
        for index in indices
    ]


def firing_parts(
    values: Float[np.ndarray, " photos"], largest: int, per_part: int
) -> list[tuple[int, Int[np.ndarray, " chosen"]]]:
    """The photographs of each interval: (percentile, indices), the largest first.

    >>> [(part, chosen.tolist()) for part, chosen in firing_parts(np.array([0.0, 3, 1, 2]), 1, 1)]
    [(100, [1]), (90, [3]), (70, [2])]
    """
    fires = np.flatnonzero(np.nan_to_num(values, nan=0.0) > 0)
    order = fires[np.argsort(-values[fires], kind="stable")]
    parts = [(100, order[:largest])]
    for percentile, part in zip(PARTS, np.array_split(order[largest:], len(PARTS)), strict=True):
        spare = max(len(part) - per_part, 0) // 2
        parts.append((percentile, part[spare : spare + per_part]))
    return [(percentile, chosen) for percentile, chosen in parts if len(chosen)]
