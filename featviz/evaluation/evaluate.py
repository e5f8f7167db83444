"""The evidence figures of units: their pictures evaluated against reference statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from featviz.evaluation import figures
from featviz.evaluation.corruptions import Pixels
from featviz.evaluation.features import Features
from featviz.evaluation.figures import PathArrays, UnitArrays
from featviz.evaluation.flag import flag_reasons, inconclusive
from featviz.evaluation.layer_paths import path_boxes, pooled_in
from featviz.evaluation.reference_statistics import LayerReference, corrupted_activations
from featviz.model import Model
from featviz.surveys.receptive_fields import box_around
from featviz.surveys.reduction import grid_at, maxima_of


@dataclass(frozen=True)
class UnitEvidence:
    """The evidence figures of one unit's picture, or of several pictures of it together.

    Attributes:
      name: of the unit, such as "inception_4c:103".
      activation: the unit's largest activation on the picture, the mean over several.
      figures: the figures' quantities by name, such as "prediction"; nan where one has no meaning. All are listed by
        `featviz.evaluation.figures.quantities`.
      flag_margin: by how much the flag "do not trust" is raised, above 0.
      flag_reasons: why it is raised; () if it is not.
      inconclusive: why the reasons rest on too little evidence; () if they do not.
    """

    name: str
    activation: float
    figures: Mapping[str, float]
    flag_margin: float
    flag_reasons: tuple[str, ...]
    inconclusive: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool | None:
        """Whether the flag is not raised; None if the evidence is inconclusive."""
        return None if self.inconclusive else not self.flag_reasons


@dataclass(frozen=True)
class _Responses:
    """What the network and phi make of a unit's pictures; rows are pictures."""

    images: Sequence[Pixels]
    activations: Float[np.ndarray, "pictures units"]
    crops: Float[np.ndarray, "pictures features"]
    pictures: Float[np.ndarray, "pictures features"]
    paths: dict[str, Float[np.ndarray, "pictures units"]]


def evaluate_pictures(
    model: Model, reference: LayerReference, pictures: Mapping[int, Sequence[Pixels]], phi: Features
) -> dict[int, UnitEvidence]:
    """The evidence of each unit's pictures.

    Args:
      model: the network that the pictures are of.
      reference: of a layer's units, those of `pictures` among them.
      pictures: unit -> its pictures, uint8 (h, w, c).
      phi: another network's features, those of the reference.
    """
    responses = {unit: _respond(model, reference, unit, images, phi) for unit, images in pictures.items()}
    return {unit: _evaluate(reference, _gather(model, reference, unit, responses)) for unit in pictures}


def _respond(model: Model, reference: LayerReference, unit: int, images: Sequence[Pixels], phi: Features) -> _Responses:
    layer, side = reference.layer, reference.receptive_field
    activations, crops, paths = [], [], []
    for image in images:
        size = image.shape[:2]
        maxima, positions = (np.asarray(values)[0] for values in maxima_of(model, image[None], (layer,))[layer])
        activations.append(maxima)
        left, top, right, bottom = box_around(positions[unit], grid_at(model, layer, size), side, size)
        crops.append(image[top:bottom, left:right])
        paths.append(pooled_in(model, path_boxes(model, layer, [positions[unit]], side, size), [image]))
    by_layer = {name: np.concatenate([path[name] for path in paths]) for name in paths[0]}
    return _Responses(images, np.stack(activations), phi(crops), phi(images), by_layer)


def _gather(model: Model, reference: LayerReference, unit: int, responses: Mapping[int, _Responses]) -> UnitArrays:
    """The arrays that the figures of a unit are functions of."""
    of_unit, response, layer = reference.units[unit], responses[unit], reference.layer
    paths = {
        name: PathArrays(response.paths[name], photos, reference.other_paths[name])
        for name, photos in of_unit.paths.items()
    }
    return UnitArrays(
        unit=unit,
        activations=response.activations,
        layer_mean=reference.mean,
        layer_sd=reference.sd,
        activations_a=of_unit.activations[reference.a],
        activations_b=of_unit.activations[reference.b],
        baseline=of_unit.baseline,
        corrupted_pictures=np.stack([corrupted_activations(model, layer, unit, image) for image in response.images]),
        corrupted_photos=of_unit.corrupted,
        picture_crops=response.crops,
        other_crops=tuple(other.crops for index, other in responses.items() if index != unit),
        high_crops=of_unit.high_crops,
        next_high_crops=of_unit.next_high_crops,
        low_crops=of_unit.low_crops,
        top_crops=of_unit.top_crops,
        pictures=response.pictures,
        photos_a=reference.photos_a,
        photos_b=reference.photos_b,
        paths_below=tuple(path for name, path in paths.items() if name != layer),
        path_own=PathArrays(*(np.delete(rows, unit, -1) for rows in paths[layer])),
    )


def _evaluate(reference: LayerReference, arrays: UnitArrays) -> UnitEvidence:
    values = figures.compute(arrays)
    varies = bool(np.ptp(arrays.activations_a) > 0)
    margin, reasons = flag_reasons(values, varies=varies)
    return UnitEvidence(
        name=f"{reference.layer}:{arrays.unit}",
        activation=float(arrays.activations[:, arrays.unit].mean()),
        figures=values,
        flag_margin=margin,
        flag_reasons=reasons,
        inconclusive=inconclusive(values, reasons, photos=len(reference.a) + len(reference.b)),
    )
