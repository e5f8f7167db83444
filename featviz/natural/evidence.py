"""Evidence: each picture beside what the survey's photographs say of its unit, as the figures E0 to E5."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from tqdm import tqdm

from featviz.errors import FeatvizError, nearest
from featviz.model import Model
from featviz.natural import figures
from featviz.natural.damage import TRANSFORMS
from featviz.natural.features import Features, features_of
from featviz.natural.paths import layers_below, pooled_below
from featviz.natural.positions import box_around, grid_of
from featviz.natural.reduction import BATCH, maxima_of, shapes_at
from featviz.natural.statistics import halves, moments
from featviz.natural.survey import Survey
from featviz.picture import Picture, plain_json
from featviz.sheets import split_name

# Photographs of each decile of B that take part in E1, and the photos of A that stand for the unit itself: nine, as
# in the people's experiments (Borowski et al. 2021).
EACH = 24
TOP = 9


@dataclass(frozen=True)
class Judgement:
    """The figures of one unit's picture, or of several pictures of it together; nan where one makes no sense.

    `deviations` and `percentile` are E0; `predicts` E1, `predicts_hard` its hard form, `photos` and `photos_hard` the
    same for the top nine photos of A, `others` for other units' pictures; `rank` is E2, `survives` E3, `path` E4,
    `foretold` and `foretold_percentile` E5.
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
    foretold: float
    foretold_percentile: float


@dataclass(frozen=True)
class Evidence:
    """A table of judgements; `means()` averages each figure over units, with its bootstrap interval."""

    rows: tuple[Judgement, ...]
    other: str

    def column(self, figure: str) -> np.ndarray:
        """One figure of all units. Raises FeatvizError with the nearest name for an unknown one."""
        known = [field.name for field in fields(Judgement)][1:]
        if figure not in known:
            raise FeatvizError(f"there is no figure `{figure}`; {nearest(figure, known)}")
        return np.array([getattr(row, figure) for row in self.rows], np.float64)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain JSON values."""
        means = {name: list(values) for name, values in self.means().items()}
        units = [asdict(row) for row in self.rows]
        plain: dict[str, Any] = plain_json({"other": self.other, "units": units, "means": means})
        return plain

    def means(self) -> dict[str, tuple[float, float, float]]:
        """Figure -> mean over units, and the ends of its 95 % interval."""
        table = {}
        for field in fields(Judgement)[1:]:
            values = self.column(field.name)
            finite = values[np.isfinite(values)]
            table[field.name] = (float(finite.mean()) if len(finite) else float("nan"), *figures.interval(values))
        return table


@dataclass
class _Unit:
    """What is gathered of one unit before its figures are computed; crops are numbers in the list of all crops."""

    unit: int
    pictures: list[np.ndarray]
    values: np.ndarray  # (pictures, units of the layer)
    boxes: list[tuple[int, int, int, int]]
    high: list[int]
    next_high: list[int]
    low: list[int]
    tops: list[int]
    top_photos: np.ndarray


def evidence(
    pictures: Sequence[Picture],
    survey: Survey,
    *,
    other: Model | Features,
    each: int = EACH,
    progress: bool = True,
) -> Evidence:
    """The figures E0 to E5 of pictures of channels, one row a unit; several pictures of one unit are judged together.

    Args:
      pictures: with names such as `inception_4c:103`, as `render` gives them, in layers of the survey.
      survey: of the network that the pictures are of.
      other: ANOTHER network, whose features compare pictures with photographs: a Model, or `Features`, which names
        the layer too.
      each: photographs of each decile of B in E1.

    The formulas are in `featviz.natural.figures`. Pictures are judged as they are saved, 8 bits a channel.

    Raises: FeatvizError for a picture of no channel, of a layer that the survey lacks, or a survey of too few photos.
    """
    phi = features_of(other)
    a, b = halves(survey)
    if len(a) < figures.LEAST:
        raise FeatvizError(f"the survey has {len(survey)} photos; expected {2 * figures.LEAST} or more")
    layers: dict[str, dict[int, list[np.ndarray]]] = {}
    for picture in pictures:
        layer, unit = unit_of(picture, survey)
        layers.setdefault(layer, {}).setdefault(unit, []).append(picture.to_uint8()[..., : survey.model.input.channels])
    rows: dict[str, Judgement] = {}
    total = 1 + 2 * len(layers)
    with tqdm(total=total, unit="part", disable=None if progress else True) as bar:
        whole = phi([survey.photo(number) for number in np.concatenate([a, b])])
        bar.update()
        for layer, units in layers.items():
            crops: dict[tuple[int, tuple[int, int, int, int]], int] = {}
            gathered = [_gather(survey, layer, unit, shown, crops, a, b, each) for unit, shown in units.items()]
            seen = phi(_cut(survey, crops))
            bar.update()
            rows |= _judge(survey, layer, gathered, phi, seen, whole, a, b)
            bar.update()
    order = dict.fromkeys("{}:{}".format(*unit_of(picture, survey)) for picture in pictures)
    return Evidence(tuple(rows[name] for name in order), f"{phi.model.name} {phi.layer}")


def unit_of(picture: Picture, survey: Survey) -> tuple[str, int]:
    """The layer and the unit of a picture of a channel.

    Raises: FeatvizError if its name is another's, or the survey lacks its layer.
    """
    layer, unit = split_name(picture.name)
    if not unit.isdecimal():
        raise FeatvizError(
            f"the picture `{picture.name}` is not of one channel; expected a name such as inception_4c:103"
        )
    units = survey.layer(layer).units
    if int(unit) >= units:
        raise FeatvizError(f"the picture `{picture.name}` is of no unit; {layer} has {units} units, 0 to {units - 1}")
    return layer, int(unit)


def _gather(
    survey: Survey, layer: str, unit: int, shown: list[np.ndarray], crops: dict[Any, int], a: np.ndarray, b: np.ndarray,
    each: int,
) -> _Unit:  # fmt: skip
    """A unit's pictures as the network sees them, and the photos that its figures need, put on the list of crops."""
    column, places = survey.maxima(layer, units=unit), survey.positions(layer, units=unit)
    side, grid = survey.receptive_field(layer), survey.grid(layer)

    def ask(numbers: np.ndarray) -> list[int]:
        keys = [(int(n), box_around(places[n], grid, side, survey.size)) for n in numbers]
        return [crops.setdefault(key, len(crops)) for key in keys]

    ranked = b[np.argsort(column[b], kind="stable")]
    deciles = np.array_split(ranked, 10)
    spread = [decile[np.linspace(0, len(decile) - 1, min(each, len(decile))).round().astype(int)] for decile in deciles]
    tops = a[np.argsort(-column[a], kind="stable")][:TOP]
    values, boxes = [], []
    for image in shown:
        top, at = (np.asarray(v)[0] for v in maxima_of(survey.model, image[None], (layer,))[layer])
        values.append(top)
        own = grid_at(survey.model, layer, image.shape[:2])
        boxes.append(box_around(at[unit], own, side, image.shape[:2]))
    return _Unit(unit, shown, np.stack(values), boxes, ask(spread[9]), ask(spread[8]), ask(spread[0]), ask(tops), tops)


def grid_at(model: Model, layer: str, size: tuple[int, int]) -> Any:
    """The grid of a layer for images of `size`."""
    return grid_of(shapes_at(model, (layer,), size)[layer])


def _cut(survey: Survey, crops: dict[Any, int]) -> list[np.ndarray]:
    """The crops in their order; each photo is opened once."""
    cut: dict[int, np.ndarray] = {}
    by_photo: dict[int, list[tuple[tuple[int, int, int, int], int]]] = {}
    for (number, box), slot in crops.items():
        by_photo.setdefault(number, []).append((box, slot))
    for number, wanted in by_photo.items():
        pixels = survey.photo(number)
        for (left, top, right, bottom), slot in wanted:
            cut[slot] = pixels[top:bottom, left:right].copy()
    return [cut[slot] for slot in range(len(cut))]


def _judge(
    survey: Survey, layer: str, units: list[_Unit], phi: Features, seen: np.ndarray, whole: np.ndarray,
    a: np.ndarray, b: np.ndarray,
) -> dict[str, Judgement]:  # fmt: skip
    mean, sd = moments(survey, layer, a)
    flat = [(image, box) for each in units for image, box in zip(each.pictures, each.boxes, strict=True)]
    own = phi([image[box[1] : box[3], box[0] : box[2]] for image, box in flat])
    entire = phi([image for image, _ in flat])
    ends = np.cumsum([len(each.pictures) for each in units])
    cropped, uncropped = np.split(own, ends[:-1]), np.split(entire, ends[:-1])
    paths = _paths(survey, layer, units, a)
    rows = {}
    for index, each in enumerate(units):
        column = survey.maxima(layer, units=each.unit)
        high, harder, low = seen[each.high], seen[each.next_high], seen[each.low]
        rest = 0.0 if survey.layer(layer).rectified else float(mean[each.unit])
        value = float(each.values[:, each.unit].mean())
        z, percentile = figures.alive(value, column[a])
        left = [_left(survey.model, layer, each.unit, image, rest) for image in each.pictures]
        photos_left = [_left(survey.model, layer, each.unit, survey.photo(n), rest) for n in each.top_photos]
        correlation, foretold = figures.transfers(
            whole[: len(a)], column[a], whole[len(a) :], column[b], uncropped[index].mean(0)
        )
        found = {
            "activation": value,
            "deviations": z,
            "percentile": percentile,
            "predicts": figures.predicts(cropped[index], high, low),
            "predicts_hard": figures.predicts(cropped[index], high, harder),
            "photos": figures.predicts(seen[each.tops], high, low),
            "photos_hard": figures.predicts(seen[each.tops], high, harder),
            "others": _mean([figures.predicts(v, high, low) for i, v in enumerate(cropped) if i != index]),
            "rank": _mean([figures.selective(v, mean, sd, each.unit) for v in each.values]),
            "survives": _mean(left) / _mean(photos_left) if _mean(photos_left) else float("nan"),
            "path": paths[index],
            "foretold": correlation,
            "foretold_percentile": foretold,
        }
        name = f"{layer}:{each.unit}"
        rows[name] = Judgement(name=name, **found)
    return rows


def _left(model: Model, layer: str, unit: int, image: np.ndarray, rest: float) -> float:
    images = np.stack([image, *(transform(image) for transform in TRANSFORMS.values())])
    values = np.asarray(maxima_of(model, images, (layer,))[layer][0])[:, unit]
    return figures.survives(float(values[0]), values[1:], rest)


def _paths(survey: Survey, layer: str, units: list[_Unit], a: np.ndarray) -> list[float]:
    """E4 of each unit, over all layers below together."""
    below = layers_below(survey.model, layer)
    if not below:
        return [float("nan")] * len(units)
    side, grid = survey.receptive_field(layer), survey.grid(layer)
    rng = np.random.default_rng(0)
    chance = rng.choice(a, min(2 * BATCH, len(a)), replace=False)
    inside = rng.integers(0, grid.rows * grid.columns, len(chance))
    boxes = [box_around(at, grid, side, survey.size) for at in inside]
    others = pooled_below(survey.model, below, [survey.photo(n) for n in chance], boxes)
    found = []
    for each in units:
        places = survey.positions(layer, units=each.unit)
        at = [box_around(places[n], grid, side, survey.size) for n in each.top_photos]
        tops = pooled_below(survey.model, below, [survey.photo(n) for n in each.top_photos], at)
        own = pooled_below(survey.model, below, each.pictures, each.boxes)
        parts = [figures.path_parts(p, tops[name], others[name]) for name in below for p in own[name]]
        # Where top photos are hardly more alike than others, in low layers, a quotient would be noise.
        gain, scale = np.sum(parts, axis=0)
        found.append(float(gain / scale) if scale > 1e-3 * len(parts) else float("nan"))
    return found


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
