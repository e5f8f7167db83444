"""E1 of the pictures of `less_work.py` alone, as `fv.evidence` defines it, without the cost of its other figures."""

from pathlib import Path

import jax
import numpy as np

import featviz as fv
from featviz.evaluation.features import Features
from featviz.evaluation.figures.prediction import prediction
from featviz.evaluation.reference_statistics import split_photos
from featviz.evaluation.unit_crops import PER_DECILE
from featviz.surveys.receptive_fields import box_around
from featviz.surveys.reduction import grid_at, maxima_of
from featviz.surveys.survey import Survey

Photos = tuple[np.ndarray, np.ndarray]


def photo_crops(survey: Survey, layer: str, units: list[int], phi: Features, kept: Path) -> dict[int, Photos]:
    """Unit -> phi of its receptive field in photographs of the top and of the bottom decile; kept in a file."""
    if not kept.exists():
        _, b = split_photos(survey)
        columns, positions = (read(layer, units=units) for read in (survey.maxima, survey.positions))
        grid, side = survey.grid(layer), survey.receptive_field(layer)
        rows = {}
        for unit, column, position in zip(units, columns.T, positions.T, strict=True):
            deciles = np.array_split(b[np.argsort(column[b], kind="stable")], 10)
            for kind, decile in (("high", deciles[9]), ("low", deciles[0])):
                spread = np.linspace(0, len(decile) - 1, min(PER_DECILE, len(decile))).round().astype(int)
                rows[f"{kind}-{unit}"] = phi(
                    crop(survey.photo(int(n)), box_around(position[n], grid, side, survey.size)) for n in decile[spread]
                )
        np.savez(kept, **rows)
    stored = np.load(kept)
    return {unit: (stored[f"high-{unit}"], stored[f"low-{unit}"]) for unit in units}


def crop(pixels: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = box
    return np.array(pixels[top:bottom, left:right])


def evaluate_units(
    model: fv.Model,
    survey: Survey,
    layer: str,
    pictures: dict[int, np.ndarray],
    photos: dict[int, Photos],
    phi: Features,
) -> tuple[dict[str, float], dict[str, float]]:
    """E1 and the clean score, the unit's mean activation, of each unit's picture, uint8 (h, w, 3)."""
    side = survey.receptive_field(layer)
    images = np.stack(list(pictures.values()))
    size = images.shape[1:3]
    grid = grid_at(model, layer, size)
    _, positions = (np.asarray(values) for values in maxima_of(model, images, (layer,))[layer])
    crops = phi(
        crop(image, box_around(row[unit], grid, side, size))
        for (unit, image), row in zip(pictures.items(), positions, strict=True)
    )
    run = jax.jit(lambda weights, images: model.apply(weights, images, layers=(layer,))[layer].mean((1, 2)))
    means = np.asarray(run(model.weights, images.astype(np.float32) / 255))
    e1 = {f"{layer}:{unit}": prediction(row, *photos[unit]) for unit, row in zip(pictures, crops, strict=True)}
    return e1, {f"{layer}:{unit}": float(row[unit]) for unit, row in zip(pictures, means, strict=True)}
