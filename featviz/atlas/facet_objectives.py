"""Facets of units: what they maximize and where they begin, at clusters of a unit's photographs or by difference."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from featviz.objectives import Objective, channel, diverse
from featviz.surveys.best_photos import best_photos_of
from featviz.surveys.facet_clusters import cluster_photos
from featviz.surveys.facet_starts import StartCrop, start_crops
from featviz.surveys.survey import Survey
from featviz.surveys.unit_facets import facets_of_clusters

# Facets of a full page, where no number is asked for, and how many there may be: provenance lists each one's share.
FACETS, MAX_FACETS = 4, 16


@dataclass(frozen=True)
class FacetPhotos:
    """The photographs that a layer's facets are of.

    Attributes:
      survey: the name of the survey's folder.
      sha256: the hash of what the survey has of the layer.
      steps: of a facet that begins at a photograph; 0 where facets begin from noise, as in earlier versions.
    """

    survey: str
    sha256: str
    steps: int = 0


class UnitFacets(NamedTuple):
    """What the facets of a unit maximize, and where they begin; `crops` is empty where they begin from noise."""

    objective: Objective
    crops: tuple[StartCrop, ...]


def facet_photos(survey: Survey | None, layer: str, *, steps: int = 0) -> FacetPhotos | None:
    """The photographs of a survey for a layer, or None where it does not have the layer."""
    if survey is None or layer not in survey.layers:
        return None
    found = hashlib.sha256(repr((survey.size, survey.windows, survey.names)).encode())
    for values in (survey.maxima(layer), survey.positions(layer)):
        found.update(np.ascontiguousarray(values).tobytes())
    return FacetPhotos(survey.store.path.resolve().name, found.hexdigest(), steps)


def unit_facets(
    survey: Survey, layer: str, units: Sequence[int], count: int, *, size: tuple[int, int]
) -> dict[int, UnitFacets]:
    """The facets of units, for groups of `count` pictures: each begins at a photograph of its cluster.

    A unit that fewer than `count` photographs of half A excite is drawn by difference, from noise.

    Args:
      survey: that has the layer.
      layer: the units' layer.
      units: their indices.
      count: facets of a unit.
      size: (height, width) of the pictures.
    """
    photos = best_photos_of(survey, layer, units, count)
    covered = {unit: found for unit, found in photos.items() if len(found) >= count}
    made = {unit: UnitFacets(diverse(channel(layer, unit)), ()) for unit in units}
    for unit, found in cluster_photos(survey, layer, covered, count):
        crops = start_crops(survey, layer, unit, found, count=count, size=size)
        made[unit] = UnitFacets(facets_of_clusters(layer, unit, found, count=count), crops)
    return made
