"""Receptive fields in photographs that excite a unit and that do not, as another network sees them: what E1 is of."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.evaluation.features import Features
from featviz.surveys.receptive_fields import Box, box_around
from featviz.surveys.statistics import halves, top_photos
from featviz.surveys.survey import Survey

# Photographs of each decile of B that take part in E1, and the photographs of A that stand for the unit itself: nine,
# as in the experiments with people (Borowski et al. 2021).
PER_DECILE = 24
TOP_PHOTOS = 9


class UnitCrops(NamedTuple):
    """phi of a unit's receptive field in photographs of the top, second and bottom decile of B and the top ones of A.

    `top_photos` are the indices of the last in the survey, the photograph that excites the unit most first.
    """

    high: Float[np.ndarray, "high features"]
    next_high: Float[np.ndarray, "next_high features"]
    low: Float[np.ndarray, "low features"]
    top: Float[np.ndarray, "top_photos features"]
    top_photos: Int[np.ndarray, " top_photos"]


def unit_crops(
    survey: Survey, layer: str, units: Sequence[int], phi: Features, *, per_decile: int = PER_DECILE
) -> dict[int, UnitCrops]:
    """Each unit's receptive fields in its photographs, by another network's features.

    Args:
      survey: of the network.
      layer: a layer of the survey.
      units: indices in it.
      phi: another network's features.
      per_decile: photographs of each decile of B.

    Raises: FeatvizError for an unknown layer.
    """
    a, b = halves(survey)
    columns, positions = (read(layer, units=list(units)) for read in (survey.maxima, survey.positions))
    grid, side = survey.grid(layer), survey.receptive_field(layer)
    # Units share photographs: each receptive field is cut and looked at once.
    slots: dict[tuple[int, Box], int] = {}
    chosen = []
    for column, position in zip(columns.T, positions.T, strict=True):
        groups = _choose_photos(column, a, b, per_decile)
        keys = [[(int(n), box_around(position[n], grid, side, survey.size)) for n in indices] for indices in groups]
        rows = [[slots.setdefault(key, len(slots)) for key in group] for group in keys]
        chosen.append((rows, groups[-1]))
    crops = phi(_cut_crops(survey, list(slots)))
    return {
        unit: UnitCrops(crops[high], crops[next_high], crops[low], crops[top], tops)
        for unit, ((high, next_high, low, top), tops) in zip(units, chosen, strict=True)
    }


def _choose_photos(column: np.ndarray, a: np.ndarray, b: np.ndarray, per_decile: int) -> list[np.ndarray]:
    """Photographs of B's top, second and bottom decile, spread over each, and the top ones of A."""
    ranked = b[np.argsort(column[b], kind="stable")]
    deciles = np.array_split(ranked, 10)
    spread = [
        decile[np.linspace(0, len(decile) - 1, min(per_decile, len(decile))).round().astype(int)]
        for decile in (deciles[9], deciles[8], deciles[0])
    ]
    return [*spread, top_photos(column, a, TOP_PHOTOS)]


def _cut_crops(survey: Survey, keys: list[tuple[int, Box]]) -> list[np.ndarray]:
    """The crops in the order of `keys`; each photograph is opened once."""
    crops: dict[int, np.ndarray] = {}
    by_photo: dict[int, list[tuple[int, Box]]] = {}
    for slot, (index, box) in enumerate(keys):
        by_photo.setdefault(index, []).append((slot, box))
    for index, boxes in by_photo.items():
        pixels = survey.photo(index)
        for slot, (left, top, right, bottom) in boxes:
            crops[slot] = pixels[top:bottom, left:right].copy()
    return [crops[slot] for slot in range(len(crops))]
