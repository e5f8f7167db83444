"""How the pictures of `natural_pictures.py` are scored: E1 in several feature spaces, and recognition by networks."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import featviz as fv
from featviz.evaluation.features import Features
from featviz.evaluation.figures.prediction import prediction
from featviz.evaluation.recognition import class_ranks
from featviz.evaluation.sample_statistics import bootstrap_interval, share_interval
from featviz.evaluation.unit_crops import UnitCrops, unit_crops
from featviz.surveys.receptive_fields import box_around
from featviz.surveys.reduction import batches, grid_at, maxima_of

Pixels = np.ndarray
# Of a unit's photographs: the best one, and as many as a set has.
PHOTO = "photographs"
# Unit -> E1, the units named as `inception_4c:103`.
Values = dict[str, float]


class Space(NamedTuple):
    """A feature space: a network and its layer."""

    name: str
    features: Features


def cached_crops(survey: fv.Survey, layer: str, units: Sequence[int], space: Space, out: Path) -> dict[int, UnitCrops]:
    """The features of each unit's photographs, from the folder if they were computed before."""
    key = hashlib.sha256(f"{space.name} {layer} {list(units)}".encode()).hexdigest()[:12]
    path = out / f"photographs-{key}.npz"
    if not path.exists():
        found = unit_crops(survey, layer, units, space.features)
        columns = {f"{unit} {name}": getattr(crops, name) for unit, crops in found.items() for name in crops._fields}
        np.savez(path, **columns)  # type: ignore[arg-type]
    with np.load(path) as kept:
        return {unit: UnitCrops(*(kept[f"{unit} {name}"] for name in UnitCrops._fields)) for unit in units}


def cut_pictures(survey: fv.Survey, layer: str, pictures: Sequence[tuple[int, Pixels]]) -> list[Pixels]:
    """The receptive field of each picture around its unit's largest activation, as `fv.evidence` cuts it."""
    model, side = survey.model, survey.receptive_field(layer)
    positions = np.zeros(len(pictures), int)
    for size in {image.shape[:2] for _, image in pictures}:
        indices = [index for index, (_, image) in enumerate(pictures) if image.shape[:2] == size]
        rows = []
        for count, batch in batches(pictures[index][1] for index in indices):
            rows.append(np.asarray(maxima_of(model, batch, (layer,))[layer][1])[:count])
        units = [pictures[index][0] for index in indices]
        positions[indices] = np.concatenate(rows)[np.arange(len(indices)), units]
    crops = []
    for position, (_, image) in zip(positions, pictures, strict=True):
        size = image.shape[:2]
        left, top, right, bottom = box_around(position, grid_at(model, layer, size), side, size)
        crops.append(image[top:bottom, left:right])
    return crops


def score_pictures(
    survey: fv.Survey, layer: str, pictures: Mapping[int, Sequence[Pixels]], spaces: Sequence[Space], out: Path,
    *, units: Sequence[int],
) -> dict[str, Values]:  # fmt: skip
    """E1 of each unit's pictures together in each space: space -> unit -> share."""
    flat = [(unit, image) for unit, images in pictures.items() for image in images]
    crops = cut_pictures(survey, layer, flat)
    scores: dict[str, Values] = {}
    for space in spaces:
        photos = cached_crops(survey, layer, units, space, out)
        rows = space.features(crops)
        owners = np.array([unit for unit, _ in flat])
        scores[space.name] = {
            f"{layer}:{unit}": prediction(rows[owners == unit], photos[unit].high, photos[unit].low)
            for unit in pictures
        }
    return scores


def score_photographs(
    survey: fv.Survey, layer: str, units: Sequence[int], count: int, spaces: Sequence[Space], out: Path
) -> dict[str, Values]:
    """E1 of each unit's `count` best photographs: space -> unit -> share."""
    scores = {}
    for space in spaces:
        photos = cached_crops(survey, layer, units, space, out)
        scores[space.name] = {
            f"{layer}:{unit}": prediction(photos[unit].top[:count], photos[unit].high, photos[unit].low)
            for unit in units
        }
    return scores


def interval_text(values: Sequence[float] | np.ndarray, *, signed: bool = False) -> str:
    """A mean with its 95 % interval over units."""
    array = np.asarray(values, float)
    mean, (low, high) = float(np.nanmean(array)), bootstrap_interval(array)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" if signed else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def paired(first: Values, second: Values) -> np.ndarray:
    """The differences between two arms on the units that both have."""
    return np.array([first[unit] - second[unit] for unit in first if unit in second])


def print_single(scores: Mapping[str, Mapping[str, Values]], seconds: Mapping[str, tuple[float, float]]) -> None:
    """E1 of one picture in each space, and its paired differences from the default's and from the best photograph's.

    Args:
      scores: arm -> space -> unit -> E1; `photographs 1` and `photographs 9` among the arms.
      seconds: arm -> seconds of a picture by the clock and of processors.
    """
    for space in next(iter(scores.values())):
        print(f"\nE1 of one picture by {space}, 95 % intervals over units")
        print(f"{'arm':16} {'units':>5} {'s':>6} {'cpu s':>6} {'E1':>22} {'less default':>26} {'less best photo':>26}")
        for arm, found in scores.items():
            values, (wall, processor) = found[space], seconds.get(arm, (float("nan"), float("nan")))
            less = [
                interval_text(paired(values, scores[other][space]), signed=True) if other in scores else ""
                for other in ("default", f"{PHOTO} 1")
            ]
            print(f"{arm:16} {len(values):5d} {wall:6.2f} {processor:6.2f} {interval_text(list(values.values())):>22} "
                  f"{less[0]:>26} {less[1]:>26}")  # fmt: skip
        for arm, found in scores.items():
            base, plus, _ = arm.partition("+")
            if plus and base in scores:
                print(f"{arm} less {base}: {interval_text(paired(found[space], scores[base][space]), signed=True)}")


def print_sets(
    sets: Mapping[str, Mapping[str, Values]], singles: Mapping[str, Mapping[str, Values]], sizes: Sequence[int]
) -> None:
    """E1 of sets beside one picture of the default and as many photographs, on the sets' units.

    The way is how far a set gets from one picture to nine photographs, of the means.
    """
    for space in next(iter(sets.values())):
        one, nine = singles["default"][space], singles[f"{PHOTO} 9"][space]
        units = [unit for unit in next(iter(sets.values()))[space] if unit in one]
        start, end = (np.mean([values[unit] for unit in units]) for values in (one, nine))
        print(f"\nE1 of sets by {space}, {len(units)} units")
        print(f"{'set':26} {'E1':>22} {'less one picture':>26} {'less photographs':>26} {'way':>6}")
        rows = {"one picture of default": one} | {
            f"{PHOTO} {size}": singles[f"{PHOTO} {size}"][space] for size in sizes
        }
        for name, values in (rows | {name: found[space] for name, found in sets.items()}).items():
            own = {unit: values[unit] for unit in units}
            size = next((size for size in sizes if str(size) in name.partition(" ")[0]), None)
            photos = {} if size is None else singles[f"{PHOTO} {size}"][space]
            beside = interval_text(paired(own, photos), signed=True) if photos else ""
            way = (np.mean(list(own.values())) - start) / (end - start)
            print(f"{name:26} {interval_text(list(own.values())):>22} "
                  f"{interval_text(paired(own, one), signed=True):>26} {beside:>26} {way:6.2f}")  # fmt: skip


def recognize(
    pictures: Mapping[str, Mapping[int, Pixels]], networks: Mapping[str, fv.Model]
) -> dict[str, dict[str, np.ndarray]]:
    """Arm -> network -> the rank of each class picture's class."""
    return {
        arm: {name: class_ranks(model, images.values(), list(images)) for name, model in networks.items()}
        for arm, images in pictures.items()
    }


def print_recognition(
    ranks: Mapping[str, Mapping[str, np.ndarray]], seconds: Mapping[str, tuple[float, float]]
) -> None:
    """The shares recognized first and in the top five, and the paired difference from the first arm's top five.

    Args:
      seconds: arm -> seconds of a picture by the clock and of processors.
    """
    base = next(iter(ranks))
    for name in next(iter(ranks.values())):
        print(f"\nclass pictures recognized by {name}")
        head = f"{'arm':16} {'classes':>7} {'first':>20} {'in the top five':>20}"
        print(f"{head} {'top five less ' + base:>30} {'s':>6} {'cpu s':>6}")
        for arm, found in ranks.items():
            shares = []
            for best in (1, 5):
                hits = int((found[name] < best).sum())
                low, high = share_interval(hits, len(found[name]))
                shares.append(f"{hits / len(found[name]):.2f} [{low:.2f}, {high:.2f}]")
            difference = (found[name] < 5).astype(float) - (ranks[base][name] < 5)
            wall, processor = seconds[arm]
            print(f"{arm:16} {len(difference):7d} {shares[0]:>20} {shares[1]:>20} "
                  f"{interval_text(difference, signed=True):>30} {wall:6.2f} {processor:6.2f}")  # fmt: skip
