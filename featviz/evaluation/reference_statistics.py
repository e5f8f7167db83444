"""Witnesses: what the photographs of a survey say of units, gathered once for any number of pictures."""

import hashlib
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from featviz.common.files import write_whole
from featviz.errors import FeatvizError
from featviz.evaluation.corruptions import TRANSFORMS
from featviz.evaluation.features import Features
from featviz.evaluation.figures import LEAST, finite_mean, survives
from featviz.evaluation.layer_paths import path_boxes, pooled_in
from featviz.model import Model, hash_weights
from featviz.surveys.receptive_fields import Box, box_around
from featviz.surveys.reduction import maxima_of
from featviz.surveys.statistics import halves, moments, top_photos
from featviz.surveys.survey import Survey

# Photographs of each decile of B that take part in E1, and the photos of A that stand for the unit itself: nine, as
# in the people's experiments (Borowski et al. 2021).
EACH = 24
TOP = 9
# Photographs of A that stand for any.
CHANCE = 64


@dataclass(frozen=True)
class Witness:
    """One unit: its activations over all photos; phi of its photos' receptive fields; its top photos' paths.

    `high`, `next_high` and `low` are of B's top, second and bottom decile, `tops` of A's top photos; `paths` are
    their activations, (photos, units), a layer each; `left` is what damage leaves of the unit on them, above `rest`:
    0 for a rectified unit, else its mean over A.
    """

    unit: int
    column: np.ndarray
    high: np.ndarray
    next_high: np.ndarray
    low: np.ndarray
    tops: np.ndarray
    paths: dict[str, np.ndarray]
    rest: float
    left: float


@dataclass(frozen=True)
class Witnesses:
    """The units of one layer, and what they share.

    `mean` and `sd` are of all units of the layer over A; `side` is the receptive field in pixels; `a` and `b` number
    the photos of either half, `whole_a` and `whole_b` are phi of all of them; `chance` are paths of other photos.
    """

    layer: str
    of: dict[int, Witness]
    mean: np.ndarray
    sd: np.ndarray
    side: int
    a: np.ndarray
    b: np.ndarray
    whole_a: np.ndarray
    whole_b: np.ndarray
    chance: dict[str, np.ndarray]


def split_photos(survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of halves A and B. Raises FeatvizError if there are too few photos for any figure."""
    a, b = halves(survey)
    if len(a) < LEAST:
        raise FeatvizError(f"the survey has {len(survey)} photos; expected {2 * LEAST} or more")
    return a, b


def phi_of_photos(survey: Survey, phi: Features) -> np.ndarray:
    """phi of every photo whole, (photos, features), nan where one cannot be read; kept in the survey's folder."""
    key = hashlib.sha256(f"{hash_weights(phi.model.weights)} {phi.layer}".encode()).hexdigest()[:16]
    path, shape = survey.store.path / f"features-{key}.npy", (len(survey), phi.model.layer(phi.layer).units)
    with suppress(OSError, ValueError):
        kept = np.load(path, allow_pickle=False)
        if kept.shape == shape and kept.dtype == np.float32:
            return kept
    numbers = np.flatnonzero(survey.readable)
    rows = np.full(shape, np.nan, np.float32)
    rows[numbers] = phi(survey.photo(number) for number in numbers.tolist())
    buffer = io.BytesIO()
    np.save(buffer, rows, allow_pickle=False)
    with suppress(FeatvizError):  # of a survey on a read-only disk: computed again the next time
        write_whole(path, buffer.getvalue())
    return rows


def witnesses(
    survey: Survey, layer: str, units: Sequence[int], phi: Features, whole: np.ndarray, *, each: int = EACH
) -> Witnesses:
    """What photographs say of units of one layer; `whole` is of `phi_of_photos`."""
    a, b = split_photos(survey)
    columns, places = (read(layer, units=list(units)) for read in (survey.maxima, survey.positions))
    grid, side = survey.grid(layer), survey.receptive_field(layer)
    crops: dict[tuple[int, Box], int] = {}
    asked = []
    for column, at in zip(columns.T, places.T, strict=True):
        chosen = _choose(column, a, b, each)
        keys = [[(int(n), box_around(at[n], grid, side, survey.size)) for n in numbers] for numbers in chosen]
        tops = chosen[-1]
        asked.append(([[crops.setdefault(key, len(crops)) for key in some] for some in keys], tops, at[tops]))
    seen = phi(_cut(survey, list(crops)))
    rectified = survey.layer(layer).rectified
    mean, sd = moments(survey, layer, a)
    found = {}
    for unit, column, (slots, tops, at) in zip(units, columns.T, asked, strict=True):
        high, next_high, low, best = (seen[some] for some in slots)
        photos = [survey.photo(number) for number in tops]
        paths = pooled_in(survey.model, path_boxes(survey.model, layer, at, side, survey.size), photos)
        rest = 0.0 if rectified else float(mean[unit])
        left = finite_mean([left_of(survey.model, layer, unit, photo, rest) for photo in photos])
        found[unit] = Witness(unit, column, high, next_high, low, best, paths, rest, left)
    return Witnesses(layer, found, mean, sd, side, a, b, whole[a], whole[b], _chance(survey, layer, side, a))


def _choose(column: np.ndarray, a: np.ndarray, b: np.ndarray, each: int) -> list[np.ndarray]:
    """Photos of B's top, second and bottom decile, spread over each, and the top ones of A."""
    ranked = b[np.argsort(column[b], kind="stable")]
    deciles = np.array_split(ranked, 10)
    chosen = [deciles[at] for at in (9, 8, 0)]
    spread = [some[np.linspace(0, len(some) - 1, min(each, len(some))).round().astype(int)] for some in chosen]
    return [*spread, top_photos(column, a, TOP)]


def _cut(survey: Survey, keys: list[tuple[int, Box]]) -> list[np.ndarray]:
    """The crops in their order; each photo is opened once."""
    cut: dict[int, np.ndarray] = {}
    by_photo: dict[int, list[tuple[int, Box]]] = {}
    for slot, (number, box) in enumerate(keys):
        by_photo.setdefault(number, []).append((slot, box))
    for number, wanted in by_photo.items():
        pixels = survey.photo(number)
        for slot, (left, top, right, bottom) in wanted:
            cut[slot] = pixels[top:bottom, left:right].copy()
    return [cut[slot] for slot in range(len(cut))]


def left_of(model: Model, layer: str, unit: int, image: np.ndarray, rest: float) -> float:
    """What damage leaves of a unit's activation on an image, E3's numerator or denominator."""
    images = np.stack([image, *(transform(image) for transform in TRANSFORMS.values())])
    values = np.asarray(maxima_of(model, images, (layer,))[layer][0])[:, unit]
    return survives(float(values[0]), values[1:], rest)


def _chance(survey: Survey, layer: str, side: int, a: np.ndarray) -> dict[str, np.ndarray]:
    """Paths of some photos of A, seen at a position at random."""
    rng, grid = np.random.default_rng(0), survey.grid(layer)
    chosen = rng.choice(a, min(CHANCE, len(a)), replace=False)
    places = rng.integers(0, grid.rows * grid.columns, len(chosen))
    boxes = path_boxes(survey.model, layer, places.tolist(), side, survey.size)
    return pooled_in(survey.model, boxes, [survey.photo(number) for number in chosen])
