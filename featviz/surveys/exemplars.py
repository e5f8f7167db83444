"""An objective of a unit together with what its best photographs have in common."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.arguments import as_int, is_sequence
from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.model import Activations, Model, Weights
from featviz.objectives import Objective
from featviz.objectives.base import STATIC, Index, LayerTerm, Shapes, Values, read_instead
from featviz.objectives.directions import Direction
from featviz.objectives.objective import Examples, single
from featviz.surveys.receptive_fields import by_position
from featviz.surveys.reduction import BATCH, batches
from featviz.surveys.statistics import halves, top_photos
from featviz.surveys.survey import Survey

# Photographs that a layer's standard deviations over positions are measured on.
SAMPLE = 48
MIN_DEVIATION = 1e-3


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Exemplars(LayerTerm):
    """mean over positions of dot(h, v) * max(.1, cosine(h, v))^power, v a unit with what its best photographs share.

    Its label is that of the unit, so that the picture stands beside other pictures of the unit. No command line names
    it, since the vector comes from a survey.
    """

    unit: Index
    vector: Float[Values, " units"]
    power: float = field(metadata=STATIC)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}"

    @property
    def mean_over_positions(self) -> bool:
        return True

    def preactivation(self, instead: Mapping[str, str]) -> "Exemplars":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
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
    """A unit with what its best photographs have in common, as a direction of its layer.

    v = (1 - share) e + share t, of length 1: e is the unit alone; t, of length 1 too, is the mean over the unit's
    `count` best photographs of half A of the layer's activations where the unit is most active, in standard deviations
    (over positions) from the layer's mean, each divided by its deviation once more. The objective is the mean over
    positions of dot(h, v) * max(.1, cosine(h, v))^power. On GoogLeNet such pictures predict other photographs better
    than the unit's alone (benchmarks/evidence.py), since photographs had a part in them: say so where you show them.

    Args:
      survey: a survey of photographs that has the layer.
      layer: the name of the layer.
      unit: the index of the unit, from 0, or several of them.
      share: how much the photographs count, from 0, the unit alone, to 1, its photographs alone.
      power: how much the angle counts beside the length, from 0.
      count: how many photographs.

    Returns:
      The objective, whose label is the unit's; for several units a list of objectives.

    Raises:
      FeatvizError: for an unknown layer or unit, or a share outside [0, 1].

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((12, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv2"], progress=False)
    ...     exemplars(survey, "conv2", 3).label
    'conv2:3'
    """
    indices = [int(as_int("unit", index)) for index in unit] if is_sequence(unit) else [int(as_int("unit", unit))]
    units = survey.layer(layer).units
    for index in indices:
        if not 0 <= index < units:
            raise FeatvizError(f"`unit` {index} is out of range; {layer} has {units} units, 0 to {units - 1}")
    if not 0 <= share <= 1:
        raise FeatvizError(f"`share` is {share}; expected a number from 0, the unit alone, to 1, its photographs alone")
    half_a, _ = halves(survey)
    mean, deviation = layer_moments(survey, layer, half_a)

    def objective(index: int) -> Objective:
        shared = _shared_features(survey, layer, index, top_photos(survey.maxima(layer, units=index), half_a, count))
        unit_alone = np.zeros(units, np.float32)
        unit_alone[index] = 1.0
        vector = (1 - share) * unit_alone + share * unit_length((shared - mean) / deviation**2)
        return single(Exemplars(layer, np.int32(index), unit_length(vector).astype(np.float32), power))

    objectives = [objective(index) for index in indices]
    return objectives if is_sequence(unit) else objectives[0]


def _shared_features(survey: Survey, layer: str, unit: int, photos: np.ndarray) -> Float[np.ndarray, " units"]:
    """The layer's mean activation over photographs, each where the unit is most active."""
    positions = survey.positions(layer, units=unit)
    maps = activation_maps(survey, layer, photos)
    return np.mean([rows[positions[photo]] for photo, rows in zip(photos, maps, strict=True)], axis=0)


def layer_moments(
    survey: Survey, layer: str, photos: np.ndarray
) -> tuple[Float[np.ndarray, " units"], Float[np.ndarray, " units"]]:
    """Mean and standard deviation of the layer's units over positions of some of the photographs."""
    sample = photos[:: max(1, len(photos) // SAMPLE)][:SAMPLE]
    maps = activation_maps(survey, layer, sample)
    return maps.mean((0, 1)), maps.std((0, 1)) + MIN_DEVIATION


def activation_maps(
    survey: Survey, layer: str, photos: Int[np.ndarray, " photos"]
) -> Float[np.ndarray, "photos positions units"]:
    """The layer's activations on photographs."""
    return maps_of(survey.model, layer, [survey.photo(photo) for photo in photos])


def maps_of(
    model: Model, layer: str, images: Sequence[UInt8[np.ndarray, "h w c"]], *, batch: int = BATCH
) -> Float[np.ndarray, "images positions units"]:
    """The layer's activations on images of one size, `batch` at a time."""
    maps = []
    for count, images_here in batches(images, count=batch):
        program = compiled(_activation(model.apply, layer), model.weights, images_here)
        maps.append(np.asarray(program(model.weights, images_here))[:count])
    return np.concatenate(maps)


@kept_with_owner(maxsize=8)
def _activation(apply: Any, layer: str) -> Any:
    def activation(weights: Weights, images: jax.Array) -> jax.Array:
        found = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=[layer])[layer]
        return by_position(found, (images.shape[1], images.shape[2]))

    return jax.jit(activation)


def unit_length(vector: Float[np.ndarray, " units"]) -> Float[np.ndarray, " units"]:
    """The vector divided by its length; zeros stay."""
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


EXAMPLES: Examples = {
    "exemplars": lambda layer, shape: single(
        Exemplars(layer, np.int32(2), np.linspace(-1, 1, shape[-1], dtype=np.float32), 1.0)
    )
}
