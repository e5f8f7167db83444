"""Which units a class depends on over many photos, and which are behind the mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from featviz.attribution.attribute import attribute
from featviz.attribution.effects import unit_effects
from featviz.attribution.explained_layers import explained_layers
from featviz.attribution.explained_photos import PhotoChoice, read_photos
from featviz.attribution.methods import Method, check_method
from featviz.common.arguments import check_count
from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, Model, find_class, output_units, require_model
from featviz.objectives import Objective, logit
from featviz.rendering.observe import observe


@dataclass(frozen=True)
class UnitRank:
    """A unit's part in a class over many photos: means, each with half the width of its 95 % interval.

    `effect` is the change of the class's score when the unit alone is ablated; in `ClassUnits.mistaken`, of the wrong
    class's score less this one's. The intervals are Student's.
    """

    layer: str
    unit: int
    attribution: float
    attribution_error: float
    effect: float
    effect_error: float
    photos: int


@dataclass(frozen=True)
class ClassUnits:
    """Units by their part in a class: `fv.class_units` ranks them.

    Attributes:
        class_index: The class.
        right: Photos on which the class is the largest output.
        wrong: The others, with the class that they are taken for.
        ranked: By layer, the units with the largest mean attributions on all photos.
        mistaken: By layer, the units that speak most for the wrong class rather than this one, over the wrong photos.
    """

    class_index: int
    right: tuple[str, ...]
    wrong: tuple[tuple[str, int], ...]
    ranked: tuple[UnitRank, ...]
    mistaken: tuple[UnitRank, ...]

    def __repr__(self) -> str:
        return f"<ClassUnits of class {self.class_index}, {len(self.right)} photos right, {len(self.wrong)} wrong>"


def class_units(
    model: Model,
    photos: PhotoChoice,
    class_index: int | str,
    *,
    layers: Sequence[str] | None = None,
    method: Method | None = None,
    units: int = 8,
    progress: bool = True,
) -> ClassUnits:
    """Ranks the units of layers by their part in a class, over photos of it.

    Args:
      model: a classifier.
      photos: a folder, or a list of paths, PIL images and arrays, all of the class; each is scaled to cover the
        network's size and cropped to the center.
      class_index: the class, by its index or its name.
      layers: names of layers; by default four of the network's blocks.
      method: how the score is divided, by default relevance.
      units: how many are ranked of each layer, and ablated.
      progress: whether to show a bar.

    Raises:
      FeatvizError: without photos, for one that cannot be read, a class or a layer that the network lacks, a network of
        one output, or a method that does not tell units apart.

    >>> import featviz as fv
    >>> rng, model = np.random.default_rng(0), fv.load("patterns")
    >>> photos = [rng.random((64, 64, 3), np.float32) for _ in range(2)]
    >>> found = class_units(model, photos, 3, layers=["mixed4a"], units=2, progress=False)
    >>> len(found.ranked), len(found.right) + len(found.wrong)
    (2, 2)
    """
    require_model(model)
    check_method(method, per_unit=True)
    units = check_count("units", units, 1, 1_000_000)
    if output_units(model) < 2:
        raise FeatvizError(f"{model.name} has one output, which is no class among others; expected two or more")
    chosen = find_class(model, "`class_index`", class_index)
    own = logit(chosen)
    layers = explained_layers(model, layers, objective=own)
    named = [(photo.name, pixels) for photo, pixels in read_photos(photos, model)]
    right: list[str] = []
    wrong: list[tuple[str, int]] = []
    for_class: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    for_mistake: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
    mistakes: list[tuple[np.ndarray, Objective]] = []
    for name, photo in progress_bar(named, shown=progress, unit="photo"):
        output = observe(model, photo, OUTPUT)
        best = int(output.reshape(-1, output.shape[-1]).mean(0).argmax())
        contrast = logit(best) - own
        if best == chosen:
            right.append(name)
        else:
            wrong.append((name, best))
            mistakes.append((photo, contrast))
        for layer in layers:
            why = attribute(model, photo, own, layer=layer, method=method)
            for_class[layer].append(why.units[0])
            if best != chosen:
                for_mistake[layer].append(attribute(model, photo, contrast, layer=layer, method=method).units[0])
    cases = [(photo, own) for _, photo in named]
    ranked = [rank for layer in layers for rank in _rank(model, layer, np.stack(for_class[layer]), cases, units)]
    mistaken = [
        rank
        for layer in layers
        if mistakes
        for rank in _rank(model, layer, np.stack(for_mistake[layer]), mistakes, units)
    ]
    return ClassUnits(chosen, tuple(right), tuple(wrong), tuple(ranked), tuple(mistaken))


def _rank(
    model: Model,
    layer: str,
    values: Float[np.ndarray, "photos units"],
    cases: Sequence[tuple[np.ndarray, Objective]],
    count: int,
) -> list[UnitRank]:
    """The units with the largest mean attributions, each ablated in every case: a photo and its score."""
    best = [int(unit) for unit in np.argsort(-values.mean(0), kind="stable")[:count]]
    effects = np.stack([unit_effects(model, photo, objective, layer, best) for photo, objective in cases])
    return [
        UnitRank(
            layer,
            unit,
            *_mean_and_error(values[:, unit]),
            *_mean_and_error(effects[:, index]),
            photos=len(values),
        )
        for index, unit in enumerate(best)
    ]


def _mean_and_error(values: Float[np.ndarray, " photos"]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % interval by Student's t; infinite for one photo.

    >>> _mean_and_error(np.array([1.0, 3.0]))
    (2.0, 12.706204736)
    """
    count = len(values)
    error = float(stdtrit(count - 1, 0.975) * values.std(ddof=1)) / count**0.5 if count > 1 else float("inf")
    return float(values.mean()), round(error, 9)
