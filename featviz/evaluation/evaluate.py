"""A unit's pictures before its witnesses: the figures E0 to E5 of one unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from featviz.evaluation import figures
from featviz.evaluation.features import Features
from featviz.evaluation.flag import doubts, untold
from featviz.evaluation.layer_paths import path_boxes, pooled_in
from featviz.evaluation.reference_statistics import Witness, Witnesses, left_of
from featviz.model import Model
from featviz.surveys.receptive_fields import box_around
from featviz.surveys.reduction import grid_at, maxima_of

# What photos must keep of their activation for the quotient E3 to mean anything.
LEAST_LEFT = 0.05


@dataclass(frozen=True)
class UnitEvidence:
    """The figures of one unit's picture, or of several pictures of it together; nan where one makes no sense.

    `deviations` and `percentile` are E0; `predicts` E1, `predicts_hard` its hard form, `photos` and `photos_hard` the
    same for the top nine photos of A, `others` for other units' pictures; `rank` is E2, `survives` E3, `path` and
    `company` E4, `foretold`, `foretold_percentile` and `foretold_deviations` E5. `doubt` is what the flag is raised
    by, above 0, and `reasons` say why; without any, the unit is `trusted`. Where these rest on too little, `untold`
    says why, and `trusted` is None.
    """

    name: str
    activation: float
    deviations: float
    percentile: float
    predicts: float
    predicts_hard: float
    photos: float
    photos_hard: float
    others: float
    rank: float
    survives: float
    path: float
    company: float
    foretold: float
    foretold_percentile: float
    foretold_deviations: float
    doubt: float
    reasons: tuple[str, ...]
    untold: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool | None:
        return None if self.untold else not self.reasons


@dataclass(frozen=True)
class _Seen:
    """A unit's pictures as the network and phi see them; rows are pictures."""

    images: Sequence[np.ndarray]
    values: np.ndarray
    cropped: np.ndarray
    whole: np.ndarray
    paths: dict[str, np.ndarray]


def judge(
    model: Model, known: Witnesses, pictures: Mapping[int, Sequence[np.ndarray]], phi: Features
) -> dict[int, UnitEvidence]:
    """The judgment of each unit's pictures, uint8 (h, w, c); the units are those of the witnesses or some of them."""
    seen = {unit: _see(model, known, unit, images, phi) for unit, images in pictures.items()}
    return {unit: _judge(model, known, known.of[unit], seen, phi) for unit in pictures}


def _see(model: Model, known: Witnesses, unit: int, images: Sequence[np.ndarray], phi: Features) -> _Seen:
    values, boxes, paths = [], [], []
    for image in images:
        top, at = (np.asarray(v)[0] for v in maxima_of(model, image[None], (known.layer,))[known.layer])
        grid = grid_at(model, known.layer, image.shape[:2])
        values.append(top)
        boxes.append(box_around(at[unit], grid, known.side, image.shape[:2]))
        looked = path_boxes(model, known.layer, [at[unit]], known.side, image.shape[:2])
        paths.append(pooled_in(model, looked, [image]))
    crops = [image[top:bottom, left:right] for image, (left, top, right, bottom) in zip(images, boxes, strict=True)]
    gathered = {layer: np.concatenate([path[layer] for path in paths]) for layer in paths[0]}
    return _Seen(images, np.stack(values), phi(crops), phi(images), gathered)


def _judge(model: Model, known: Witnesses, of: Witness, seen: Mapping[int, _Seen], phi: Features) -> UnitEvidence:
    own = seen[of.unit]
    value = float(own.values[:, of.unit].mean())
    deviations, percentile = figures.alive(value, of.column[known.a])
    left = figures.finite_mean([left_of(model, known.layer, of.unit, image, of.rest) for image in own.images])
    correlation, foretold_percentile, foretold = figures.transfers(
        known.whole_a, of.column[known.a], known.whole_b, of.column[known.b], own.whole.mean(0)
    )
    ranks = [figures.selective(v, known.mean, known.sd, of.unit) for v in own.values]
    others = [figures.predicts(each.cropped, of.high, of.low) for unit, each in seen.items() if unit != of.unit]
    found: dict[str, Any] = {
        "activation": value,
        "deviations": deviations,
        "percentile": percentile,
        "predicts": figures.predicts(own.cropped, of.high, of.low),
        "predicts_hard": figures.predicts(own.cropped, of.high, of.next_high),
        "photos": figures.predicts(of.tops, of.high, of.low),
        "photos_hard": figures.predicts(of.tops, of.high, of.next_high),
        "others": figures.finite_mean(others),
        "rank": figures.finite_mean(ranks),
        "survives": left / of.left if of.left > LEAST_LEFT else float("nan"),
        "path": _path(known, of, own),
        "company": _company(known, of, own),
        "foretold": correlation,
        "foretold_percentile": foretold_percentile,
        "foretold_deviations": foretold,
    }
    doubt, reasons = doubts(found, fires=bool(np.ptp(of.column[known.a]) > 0))
    name, photos = f"{known.layer}:{of.unit}", len(known.a) + len(known.b)
    return UnitEvidence(name, **found, doubt=doubt, reasons=reasons, untold=untold(found, reasons, photos=photos))


def _path(known: Witnesses, of: Witness, own: _Seen) -> float:
    """E4 over all layers below together."""
    below = [layer for layer in of.paths if layer != known.layer]
    return figures.path_over([(p, of.paths[name], known.chance[name]) for name in below for p in own.paths[name]])


def _company(known: Witnesses, of: Witness, own: _Seen) -> float:
    def without(rows: np.ndarray) -> np.ndarray:
        return np.delete(rows, of.unit, -1)

    layer = known.layer
    tops, chance = without(of.paths[layer]), without(known.chance[layer])
    return figures.finite_mean([figures.company(each, tops, chance) for each in without(own.paths[layer])])
