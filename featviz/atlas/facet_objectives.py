"""What the facets of units maximize: clusters of a unit's photographs where a survey has them, else difference."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featviz.objectives import Objective, channel, diverse
from featviz.surveys.best_photos import best_photos_of
from featviz.surveys.survey import Survey
from featviz.surveys.unit_facets import facets_of_photos

# Facets of a full page, where no number is asked for, and how many there may be: provenance lists each one's share.
FACETS, MAX_FACETS = 4, 16


@dataclass(frozen=True)
class FacetPhotos:
    """The photographs that a layer's facets are of.

    Attributes:
      survey: the name of the survey's folder.
      sha256: the hash of what the survey has of the layer.
    """

    survey: str
    sha256: str


def facet_photos(survey: Survey | None, layer: str) -> FacetPhotos | None:
    """The photographs of a survey for a layer, or None where it does not have the layer."""
    if survey is None or layer not in survey.layers:
        return None
    found = hashlib.sha256(repr((survey.size, survey.windows, survey.names)).encode())
    for values in (survey.maxima(layer), survey.positions(layer)):
        found.update(np.ascontiguousarray(values).tobytes())
    return FacetPhotos(survey.store.path.resolve().name, found.hexdigest())


def facet_objectives(survey: Survey, layer: str, units: Sequence[int], count: int) -> list[Objective]:
    """The objectives of units' facets, for groups of `count` pictures.

    A unit that fewer than `count` photographs of half A excite is drawn by difference.

    Args:
      survey: that has the layer.
      layer: the units' layer.
      units: their indices.
      count: facets of a unit.
    """
    photos = best_photos_of(survey, layer, units, count)
    covered = {unit: found for unit, found in photos.items() if len(found) >= count}
    found = facets_of_photos(survey, layer, covered, count=count)
    return [found[unit] if unit in found else diverse(channel(layer, unit)) for unit in units]
