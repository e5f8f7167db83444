"""A unit's best photographs in clusters, by what else the layer has where the unit is most active."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.errors import FeatvizError
from featviz.surveys.best_photos import Photos, activations_on, best_photos_of
from featviz.surveys.clusters import cluster
from featviz.surveys.exemplars import layer_moments, unit_length
from featviz.surveys.statistics import halves
from featviz.surveys.survey import Survey


class UnitClusters(NamedTuple):
    """The clusters of one unit's photographs.

    `photos` are their indices in the survey, `standard` the layer's activations where the unit is most active, in
    standard deviations from the layer's mean, `deviation` these, and `labels` the cluster of each photograph, the
    largest cluster first.
    """

    photos: Photos
    standard: Float[np.ndarray, "photos units"]
    deviation: Float[np.ndarray, " units"]
    labels: Int[np.ndarray, " photos"]


def photos_of_facets(survey: Survey, layer: str, units: Sequence[int], count: int) -> dict[int, Photos]:
    """The photographs that `count` facets of each unit are of.

    Raises: FeatvizError for an unknown layer or unit, or more facets than photographs.
    """
    width = survey.layer(layer).units
    for unit in units:
        if not 0 <= unit < width:
            raise FeatvizError(f"`unit` {unit} is out of range; {layer} has {width} units, 0 to {width - 1}")
    photos = best_photos_of(survey, layer, units, count)
    for unit in units:
        if len(photos[unit]) < count:
            raise FeatvizError(
                f"`count` is {count}; {layer}:{unit} is active on {len(photos[unit])} photos of the survey's half"
            )
    return photos


def cluster_photos(
    survey: Survey, layer: str, photos: Mapping[int, Photos], count: int
) -> Iterator[tuple[int, UnitClusters]]:
    """Each unit with its photographs in `count` clusters."""
    if not photos:
        return
    mean, deviation = layer_moments(survey, layer, halves(survey)[0])
    for unit, activations in activations_on(survey, layer, photos):
        standard = (activations - mean) / deviation
        yield unit, UnitClusters(photos[unit], standard, deviation, cluster(other_units(standard, unit), count))


def other_units(standard: Float[np.ndarray, "n units"], unit: int) -> Float[np.ndarray, "n others"]:
    """The rows without the unit, which is high on all of them, each of length 1; rows of zeros stay."""
    return np.stack([unit_length(row) for row in np.delete(standard, unit, axis=1)])
