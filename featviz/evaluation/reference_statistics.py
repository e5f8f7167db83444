"""Reference statistics: what the photographs of a survey say of units, computed once for any number of pictures."""

import hashlib
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from featviz.common.files import write_atomic
from featviz.errors import ArgumentError, FeatvizError
from featviz.evaluation.corruptions import CORRUPTIONS, Pixels
from featviz.evaluation.features import Features
from featviz.evaluation.layer_paths import path_boxes, pooled_in
from featviz.evaluation.unit_crops import PER_DECILE, unit_crops
from featviz.model import Model, hash_weights
from featviz.surveys.reduction import maxima_of
from featviz.surveys.statistics import halves, moments
from featviz.surveys.survey import Survey

# Photographs of A that stand for any.
OTHER_PHOTOS = 64
# The fewest photographs in a half that any figure makes sense with.
MIN_PHOTOS = 20


@dataclass(frozen=True)
class UnitReference:
    """One unit's statistics over photographs.

    Attributes:
      unit: its index in the layer.
      activations: its largest activation on each photograph of the survey.
      high_crops, next_high_crops, low_crops: phi of its receptive field in photographs of the top, second and bottom
        decile of B.
      top_crops: the same in the top photographs of A.
      paths: layer name -> activations on these top photographs, pooled where the unit looks.
      baseline: the activation that counts as none: 0 for a rectified unit, else its mean over A.
      corrupted: its activation on each top photograph as it is (first column) and under each corruption.
    """

    unit: int
    activations: Float[np.ndarray, " photos"]
    high_crops: Float[np.ndarray, "high features"]
    next_high_crops: Float[np.ndarray, "next_high features"]
    low_crops: Float[np.ndarray, "low features"]
    top_crops: Float[np.ndarray, "top_photos features"]
    paths: dict[str, Float[np.ndarray, "top_photos units"]]
    baseline: float
    corrupted: Float[np.ndarray, "top_photos versions"]


@dataclass(frozen=True)
class LayerReference:
    """The statistics of some units of one layer, and what they share.

    Attributes:
      layer: its name.
      units: unit -> its statistics.
      mean, sd: of all units of the layer over A.
      receptive_field: the side of a unit's receptive field in pixels.
      a, b: the indices of the photographs of either half.
      photos_a, photos_b: phi of each whole photograph.
      other_paths: layer name -> activations on photographs chosen at random, pooled at random positions.
    """

    layer: str
    units: dict[int, UnitReference]
    mean: Float[np.ndarray, " units"]
    sd: Float[np.ndarray, " units"]
    receptive_field: int
    a: Int[np.ndarray, " photos_a"]
    b: Int[np.ndarray, " photos_b"]
    photos_a: Float[np.ndarray, "photos_a features"]
    photos_b: Float[np.ndarray, "photos_b features"]
    other_paths: dict[str, Float[np.ndarray, "other_photos units"]]


def split_photos(survey: Survey) -> tuple[Int[np.ndarray, " photos_a"], Int[np.ndarray, " photos_b"]]:
    """The indices of halves A and B.

    Raises: FeatvizError if the survey has too few photographs for any figure.
    """
    a, b = halves(survey)
    if len(a) < MIN_PHOTOS:
        raise ArgumentError(f"the survey has {len(survey)} photos; expected {2 * MIN_PHOTOS} or more")
    return a, b


def features_of_photos(survey: Survey, phi: Features) -> Float[np.ndarray, "photos features"]:
    """phi of every whole photograph, nan for unreadable ones; stored in the survey's folder."""
    key = hashlib.sha256(f"{hash_weights(phi.model.weights)} {phi.layer}".encode()).hexdigest()[:16]
    path, shape = survey.store.path / f"features-{key}.npy", (len(survey), phi.model.layer(phi.layer).units)
    with suppress(OSError, ValueError):
        stored = np.load(path, allow_pickle=False)
        if stored.shape == shape and stored.dtype == np.float32:
            return stored
    readable = np.flatnonzero(survey.readable)
    rows = np.full(shape, np.nan, np.float32)
    rows[readable] = phi(survey.photo(index) for index in readable.tolist())
    buffer = io.BytesIO()
    np.save(buffer, rows, allow_pickle=False)
    with suppress(FeatvizError):  # a survey on a read-only disk: computed again the next time
        write_atomic(path, buffer.getvalue())
    return rows


def reference_statistics(
    survey: Survey,
    layer: str,
    units: Sequence[int],
    phi: Features,
    photo_features: Float[np.ndarray, "photos features"],
    *,
    per_decile: int = PER_DECILE,
) -> LayerReference:
    """What photographs say of units of one layer.

    Args:
      survey: of the network.
      layer: a layer of the survey.
      units: indices in it.
      phi: another network's features.
      photo_features: what `features_of_photos` gives for these.
      per_decile: photographs of each decile of B in E1.

    Raises: FeatvizError for an unknown layer, or a survey of too few photographs.
    """
    a, b = split_photos(survey)
    side, crops = survey.receptive_field(layer), unit_crops(survey, layer, units, phi, per_decile=per_decile)
    rectified = survey.layer(layer).rectified
    mean, sd = moments(survey, layer, a)
    references = {}
    for unit, found in crops.items():
        photos = [survey.photo(index) for index in found.top_photos]
        position = survey.positions(layer, units=unit)[found.top_photos]
        boxes = path_boxes(survey.model, layer, position, side, survey.size)
        references[unit] = UnitReference(
            unit,
            survey.maxima(layer, units=unit),
            found.high,
            found.next_high,
            found.low,
            found.top,
            paths=pooled_in(survey.model, boxes, photos),
            baseline=0.0 if rectified else float(mean[unit]),
            corrupted=np.stack([corrupted_activations(survey.model, layer, unit, photo) for photo in photos]),
        )
    other_paths = _other_paths(survey, layer, side, a)
    return LayerReference(layer, references, mean, sd, side, a, b, photo_features[a], photo_features[b], other_paths)


def corrupted_activations(model: Model, layer: str, unit: int, image: Pixels) -> Float[np.ndarray, " versions"]:
    """A unit's largest activation on an image as it is, and under each corruption."""
    images = np.stack([image, *(corrupt(image) for corrupt in CORRUPTIONS.values())])
    return np.asarray(maxima_of(model, images, (layer,))[layer][0])[:, unit]


def _other_paths(survey: Survey, layer: str, side: int, a: np.ndarray) -> dict[str, np.ndarray]:
    """Paths of photographs of A chosen at random, each at a random position."""
    rng, grid = np.random.default_rng(0), survey.grid(layer)
    chosen = rng.choice(a, min(OTHER_PHOTOS, len(a)), replace=False)
    positions = rng.integers(0, grid.rows * grid.columns, len(chosen))
    boxes = path_boxes(survey.model, layer, positions.tolist(), side, survey.size)
    return pooled_in(survey.model, boxes, [survey.photo(index) for index in chosen])
