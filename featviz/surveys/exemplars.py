"""A unit united with what its best photographs have in common: an objective drawn from both."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Activations, Weights
from featviz.objectives import Objective
from featviz.objectives.base import Shapes, single
from featviz.objectives.directions import Direction
from featviz.surveys.receptive_fields import by_position
from featviz.surveys.reduction import batches
from featviz.surveys.statistics import halves, top_photos
from featviz.surveys.survey import Survey

# Photographs that a layer's spread over positions is measured on.
SAMPLE = 48
SPREAD_FLOOR = 1e-3


@partial(jax.tree_util.register_dataclass, data_fields=["unit", "vector"], meta_fields=["layer", "power"])
@dataclass(frozen=True)
class Exemplars:
    """A unit and what its best photographs have in common: the direction `vector`, under the unit's name."""

    layer: str
    unit: Any
    vector: Any
    power: float

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}"

    def value(self, activations: Activations) -> jax.Array:
        return Direction(self.layer, self.vector, self.power).value(activations)

    def check(self, shapes: Shapes) -> None:
        Direction(self.layer, self.vector, self.power).check(shapes)


@overload
def exemplars(survey: Survey, layer: str, unit: int, *, share: float = ..., power: float = ...,
              count: int = ...) -> Objective: ...  # fmt: skip
@overload
def exemplars(survey: Survey, layer: str, unit: Iterable[int], *, share: float = ..., power: float = ...,
              count: int = ...) -> list[Objective]: ...  # fmt: skip
def exemplars(
    survey: Survey, layer: str, unit: int | Iterable[int], *, share: float = 0.5, power: float = 1.0, count: int = 9
) -> Objective | list[Objective]:
    """A direction of `layer` that unites a unit with its best photographs: render it as any other objective.

    v = (1 - share) e + share t, of length 1: e is the unit alone; t, of length 1 too, is the mean over the unit's
    `count` best photographs of half A of the layer's activations where the unit is most active, in standard deviations
    (over positions) from the layer's mean, each divided by its deviation once more. The objective is
    dot(h, v) * max(.1, cosine(h, v))^power at each position, averaged over them. It bears the unit's name; of several
    units it is a list. On GoogLeNet such pictures predict other photographs better than the unit's alone
    (benchmarks/evidence.py), since photographs had a part in them: say so where you show them.

    Raises: FeatvizError for an unknown layer or unit, or a share outside [0, 1].

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((12, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv2"], progress=False)
    ...     exemplars(survey, "conv2", 3).label
    'conv2:3'
    """
    many = [unit] if isinstance(unit, int | np.integer) else list(unit)
    count_all = survey.layer(layer).units
    for one in many:
        if not 0 <= one < count_all:
            raise FeatvizError(f"`unit` {one} is out of range; {layer} has {count_all} units, 0 to {count_all - 1}")
    if not 0 <= share <= 1:
        raise FeatvizError(f"`share` is {share}; expected a number from 0, the unit alone, to 1, its photographs alone")
    a, _ = halves(survey)
    mean, spread = _spread(survey, layer, a)
    made = [
        single(Exemplars(layer, np.int32(one), _mixed(survey, layer, int(one), a, mean, spread, share, count), power))
        for one in many
    ]
    return made[0] if isinstance(unit, int | np.integer) else made


def _mixed(
    survey: Survey, layer: str, unit: int, a: np.ndarray, mean: np.ndarray, spread: np.ndarray, share: float, count: int
) -> np.ndarray:
    """The direction of one unit."""
    column, places = survey.maxima(layer, units=unit), survey.positions(layer, units=unit)
    best = top_photos(column, a, count)
    maps = _maps(survey, layer, best)
    common = np.mean([at[places[number]] for number, at in zip(best, maps, strict=True)], axis=0)
    own = np.zeros(len(mean), np.float32)
    own[unit] = 1.0
    mixed = (1 - share) * own + share * _unit_length((common - mean) / spread**2)
    return _unit_length(mixed).astype(np.float32)


def _spread(survey: Survey, layer: str, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the layer's units over positions of some photographs."""
    some = _maps(survey, layer, numbers[:: max(1, len(numbers) // SAMPLE)][:SAMPLE])
    return some.mean((0, 1)), some.std((0, 1)) + SPREAD_FLOOR


def _maps(survey: Survey, layer: str, numbers: np.ndarray) -> np.ndarray:
    """The layer's activations on photographs, (photos, positions, units)."""
    found = []
    for count, some in batches([survey.photo(number) for number in numbers]):
        program = compiled(_activation(survey.model.apply, layer), survey.model.weights, some)
        found.append(np.asarray(program(survey.model.weights, some))[:count])
    return np.concatenate(found)


@lru_cache(maxsize=8)
def _activation(apply: Any, layer: str) -> Any:
    def activation(weights: Weights, images: jax.Array) -> jax.Array:
        return by_position(apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=[layer])[layer])

    return jax.jit(activation)


def _unit_length(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
