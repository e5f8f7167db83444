"""The photographs on which a unit is most active, and what else its layer has there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from featviz.surveys.exemplars import maps_of
from featviz.surveys.statistics import halves, top_photos
from featviz.surveys.survey import Survey

# The photographs that a unit's facets are of: the top tenth of half A, as in E1, but enough for clusters and no more
# than show a difference.
TOP_SHARE, PHOTOS_A_FACET, MAX_PHOTOS = 0.1, 4, 96
# Values that are in memory at a time: of the survey's table, and of activations.
MAX_VALUES = 1 << 25

Photos = Int[np.ndarray, " photos"]


def best_photos_of(survey: Survey, layer: str, units: Sequence[int], count: int) -> dict[int, Photos]:
    """The photographs of half A that the `count` facets of each unit are of, the most active first.

    Args:
      survey: of photographs.
      layer: a surveyed layer.
      units: the indices of units.
      count: how many facets.
    """
    half_a, _ = halves(survey)
    rectified = survey.layer(layer).rectified
    wanted = min(max(int(TOP_SHARE * len(half_a)), PHOTOS_A_FACET * count), max(MAX_PHOTOS, count))
    found: dict[int, Photos] = {}
    step = max(1, MAX_VALUES // max(len(survey), 1))
    for chosen in (units[first : first + step] for first in range(0, len(units), step)):
        columns = survey.maxima(layer, units=list(chosen))
        for unit, column in zip(chosen, columns.T, strict=True):
            photos = top_photos(column, half_a, wanted)
            # Of photographs that do not excite a rectified unit there is nothing to show.
            found[unit] = photos[column[photos] > 0] if rectified else photos
    return found


def activations_on(
    survey: Survey, layer: str, photos: Mapping[int, Photos]
) -> Iterator[tuple[int, Float[np.ndarray, "photos units"]]]:
    """Each unit with the layer's activations on photographs of its own, where the unit is most active.

    A photograph is looked at once for as many units as memory holds.

    Args:
      survey: of photographs.
      layer: a surveyed layer.
      photos: unit -> the indices of its photographs.
    """
    width = survey.layer(layer).units
    for units in _groups(photos, MAX_VALUES // width):
        rows = {unit: np.zeros((len(photos[unit]), width), np.float32) for unit in units}
        positions = dict(zip(units, survey.positions(layer, units=units).T, strict=True))
        places: dict[int, list[tuple[int, int]]] = {}
        for unit in units:
            for row, photo in enumerate(photos[unit].tolist()):
                places.setdefault(photo, []).append((unit, row))
        for photo in sorted(places):
            # One by one: in a batch the last bits depend on the photographs beside it, and a picture on them.
            (maps,) = maps_of(survey.model, layer, [survey.photo(photo)], batch=1)
            for unit, row in places[photo]:
                rows[unit][row] = maps[positions[unit][photo]]
        yield from rows.items()


def _groups(photos: Mapping[int, Photos], count: int) -> Iterable[list[int]]:
    """The units in groups of at most `count` photographs, or of one unit."""
    group: list[int] = []
    size = 0
    for unit, indices in photos.items():
        if group and size + len(indices) > count:
            yield group
            group, size = [], 0
        group.append(unit)
        size += len(indices)
    if group:
        yield group
