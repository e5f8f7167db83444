"""Pictures of what a unit's best photographs have in common: a direction drawn from them and from the unit."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Weights
from featviz.natural.positions import grid_of
from featviz.natural.reduction import batches
from featviz.natural.statistics import halves
from featviz.natural.survey import Survey
from featviz.objectives import Objective, direction

# Photographs that a layer's spread over positions is measured on.
SAMPLE = 48
SPREAD_FLOOR = 1e-3


def exemplars(
    survey: Survey, layer: str, unit: int, *, share: float = 0.5, power: float = 1.0, count: int = 9
) -> Objective:
    """A direction of `layer` that unites a unit with its best photographs: render it as any other objective.

    v = (1 - share) e + share t, of length 1: e is the unit alone; t, of length 1 too, is the mean over the unit's
    `count` best photographs of half A of the layer's activations where the unit is most active, in standard deviations
    (over positions) from the layer's mean, each divided by its deviation once more. With `power` 1 the direction is
    multiplied by its cosine. On GoogLeNet such pictures predict other photographs better than the unit's alone.

    Raises: FeatvizError for an unknown layer or unit, or a share outside [0, 1].

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((12, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv2"], progress=False)
    ...     exemplars(survey, "conv2", 3).label
    'conv2:direction^1'
    """
    units = survey.layer(layer).units
    if not 0 <= unit < units:
        raise FeatvizError(f"`unit` {unit} is out of range; {layer} has {units} units, 0 to {units - 1}")
    if not 0 <= share <= 1:
        raise FeatvizError(f"`share` is {share}; expected a number from 0, the unit alone, to 1, its photographs alone")
    a, _ = halves(survey)
    mean, spread = _spread(survey, layer, a)
    column, places = survey.maxima(layer, units=unit), survey.positions(layer, units=unit)
    best = a[np.argsort(-column[a], kind="stable")][:count]
    maps = _maps(survey, layer, best)
    common = np.mean([at[places[number]] for number, at in zip(best, maps, strict=True)], axis=0)
    own = np.zeros(units, np.float32)
    own[unit] = 1.0
    mixed = (1 - share) * own + share * _unit_length((common - mean) / spread**2)
    return direction(layer, _unit_length(mixed).astype(np.float32), power=power)


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
        values = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=[layer])[layer]
        kept = values[:, grid_of(values.shape[1:]).skipped :] if values.ndim == 3 else values
        return kept.reshape(kept.shape[0], -1, kept.shape[-1])

    return jax.jit(activation)


def _unit_length(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
