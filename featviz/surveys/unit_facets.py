"""An objective of a group of pictures that together show what a unit's best photographs show: one for each cluster."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from featviz.common.arguments import as_int, check_count, is_sequence
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives import Objective
from featviz.objectives.base import STATIC, Index, LayerTerm, Shapes, Values, read_instead
from featviz.objectives.objective import Examples, single
from featviz.objectives.positions import position_mean
from featviz.objectives.vectors import check_vector, scale_by_cosine
from featviz.surveys.best_photos import Photos, activations_on, best_photos_of
from featviz.surveys.exemplars import layer_moments, maps_of, unit_length
from featviz.surveys.facet_clusters import UnitClusters, cluster_photos, other_units, photos_of_facets
from featviz.surveys.reduction import BATCH, batches, maxima_of
from featviz.surveys.statistics import halves
from featviz.surveys.survey import Survey


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Facets(LayerTerm):
    """mean over positions of dot(h, v_i) * max(.1, cosine(h, v_i))^power for image i, v_i the unit with a cluster.

    `shares` are those of the unit's best photographs in each cluster. A group of more images has the vectors again. Its
    label is the unit's, so that the pictures stand beside others of the unit. No command line names it, since the
    vectors come from a survey.
    """

    unit: Index
    vectors: Float[Values, "facets units"]
    shares: Float[Values, " facets"]
    power: float = field(metadata=STATIC)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}"

    @property
    def depends_on_group(self) -> bool:
        return True

    @property
    def image_notes(self) -> tuple[str, ...]:
        return tuple(share_text(float(share)) for share in self.shares)

    def preactivation(self, instead: Mapping[str, str]) -> "Facets":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        h = activations[self.layer]
        vectors = jnp.asarray(self.vectors, jnp.float32)
        own = vectors[jnp.arange(h.shape[0]) % vectors.shape[0]]
        own = own.reshape(h.shape[0], *(1,) * (h.ndim - 2), h.shape[-1])
        dots = jnp.sum(h * own, axis=-1)
        lengths = jnp.sqrt(jnp.sum(jnp.square(h), axis=-1) * jnp.sum(jnp.square(own), axis=-1) + 1e-12)
        return position_mean(scale_by_cosine(dots, lengths, self.power))

    def check(self, shapes: Shapes) -> None:
        for vector in np.asarray(self.vectors):
            check_vector(self.layer, vector, shapes[self.layer])


@overload
def facets(survey: Survey, layer: str, unit: int, *, count: int = ..., share: float = ...,
           power: float = ...) -> Objective: ...  # fmt: skip
@overload
def facets(survey: Survey, layer: str, unit: Iterable[int], *, count: int = ..., share: float = ...,
           power: float = ...) -> list[Objective]: ...  # fmt: skip
def facets(
    survey: Survey, layer: str, unit: int | Iterable[int], *, count: int = 4, share: float = 0.5, power: float = 1.0
) -> Objective | list[Objective]:
    """A unit in `count` facets: pictures that together show what its best photographs show. For `render_group`.

    The top tenth of the photographs of half A is clustered by the layer's activations where the unit is most active, in
    standard deviations (over positions) from the layer's mean. Picture i is of the unit with cluster i, as
    `exemplars` has it of all best photographs: v_i = (1 - share) e + share t_i, of length 1, e the unit alone, t_i the
    mean of the cluster's activations, in standard deviations, each divided by its deviation once more, and of length 1.
    Facets are in the order of their clusters' sizes. `facet_starts` has photographs to begin them with.
    Without photographs a unit's facets are `diverse`.

    Args:
      survey: a survey of photographs that has the layer.
      layer: the name of the layer.
      unit: the index of the unit, from 0, or several of them, of which each photograph is looked at once.
      count: how many facets, from 1; `render_group` takes as many as `group_size`.
      share: how much the photographs count, from 0, the unit alone, to 1, its photographs alone.
      power: how much the angle counts beside the length, from 0.

    Returns:
      The objective, whose label is the unit's; for several units a list of objectives. The `shares` of its term are
      those of the photographs that each facet stands for; they are in the pictures' provenance, and the first picture's
      is the largest.

    Raises:
      FeatvizError: for an unknown layer or unit, a share outside [0, 1], or more facets than photographs.

    References:
      Nguyen, Yosinski and Clune 2016, Multifaceted Feature Visualization: clusters of a class's images.

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((24, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv2"], progress=False)
    ...     facets(survey, "conv2", 3, count=2).label
    'conv2:3'
    """
    indices = [int(as_int("unit", index)) for index in unit] if is_sequence(unit) else [int(as_int("unit", unit))]
    if not 0 <= share <= 1:
        raise FeatvizError(f"`share` is {share}; expected a number from 0, the unit alone, to 1, its photographs alone")
    count = check_count("count", count, 1, 1024)
    photos = photos_of_facets(survey, layer, indices, count)
    made = facets_of_photos(survey, layer, photos, count=count, share=share, power=power)
    return [made[index] for index in indices] if is_sequence(unit) else made[indices[0]]


def facets_of_photos(
    survey: Survey, layer: str, photos: Mapping[int, Photos], *, count: int, share: float = 0.5, power: float = 1.0
) -> dict[int, Objective]:
    """The facets of each unit of its own photographs, `count` of them at least.

    >>> import featviz as fv, tempfile
    >>> images = np.random.default_rng(0).random((24, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), images, out=f"{folder}/s", layers=["conv2"], progress=False)
    ...     found = photos_of_facets(survey, "conv2", [3], 2)
    ...     facets_of_photos(survey, "conv2", found, count=2)[3].label
    'conv2:3'
    """
    clusters = cluster_photos(survey, layer, photos, count)
    return {
        index: facets_of_clusters(layer, index, found, count=count, share=share, power=power)
        for index, found in clusters
    }


def facets_of_clusters(
    layer: str, unit: int, found: UnitClusters, *, count: int, share: float = 0.5, power: float = 1.0
) -> Objective:
    """The `count` facets of a unit that are of the clusters `found`.

    Args:
      layer: the layer's name.
      unit: its index.
      found: the clusters of its photographs.
      count: how many clusters there are.
      share: how much the other units count, as in `facets`.
      power: of the cosine, as in `facets`.

    >>> standard = np.array([[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]], np.float32)
    >>> found = UnitClusters(np.arange(2), standard, np.ones(3, np.float32), np.array([0, 1]))
    >>> facets_of_clusters("fc", 0, found, count=2).layers
    ('fc',)
    """
    standard, labels = found.standard, found.labels
    alone = np.zeros(standard.shape[1], np.float32)
    alone[unit] = 1.0
    shared = [unit_length(standard[labels == group].mean(0) / found.deviation) for group in range(count)]
    vectors = np.stack([unit_length((1 - share) * alone + share * vector) for vector in shared])
    shares = np.bincount(labels, minlength=count) / len(labels)
    return single(Facets(layer, np.int32(unit), vectors.astype(np.float32), shares.astype(np.float32), power))


def facet_shares(
    survey: Survey, layer: str, unit: int, pictures: Sequence[UInt8[np.ndarray, "h w c"]]
) -> Float[np.ndarray, " pictures"]:
    """The share of a unit's best photographs that each of its pictures stands for: those that are most like it.

    Likeness is the cosine, among the other units of the layer, of what photograph and picture excite where the unit is
    most active, in standard deviations from the layer's mean: by what `facets` clusters. However the pictures were
    made, no photograph enters them by this.

    Args:
      survey: a survey of photographs that has the layer.
      layer: the name of the layer.
      unit: the index of the unit.
      pictures: of the unit, of one size.

    Returns:
      one share a picture, their sum 1; nan for a unit that no photograph excites.

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((24, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv2"], progress=False)
    ...     facet_shares(survey, "conv2", 3, [survey.photo(0)])
    array([1.])
    """
    photos = best_photos_of(survey, layer, [unit], len(pictures))
    if not len(photos[unit]):
        return np.full(len(pictures), np.nan)
    mean, deviation = layer_moments(survey, layer, halves(survey)[0])
    ((_, activations),) = activations_on(survey, layer, photos)
    of_photos = (activations - mean) / deviation
    maps = maps_of(survey.model, layer, pictures)
    positions = [
        np.asarray(maxima_of(survey.model, batch, (layer,))[layer][1])[:count, unit]
        for count, batch in batches(pictures, count=min(BATCH, len(pictures)))
    ]
    of_pictures = maps[np.arange(len(pictures)), np.concatenate(positions)]
    cosines = other_units(of_photos, unit) @ other_units((of_pictures - mean) / deviation, unit).T
    return np.bincount(cosines.argmax(1), minlength=len(pictures)) / len(of_photos)


def share_text(share: float) -> str:
    """A facet's share of the photographs in words.

    >>> share_text(0.254)
    '25 % of photos'
    """
    return f"{100 * share:.0f} % of photos"


EXAMPLES: Examples = {
    "facets": lambda layer, shape: single(
        Facets(
            layer,
            np.int32(2),
            np.linspace(-1, 1, 2 * shape[-1], dtype=np.float32).reshape(2, shape[-1]),
            np.array([0.75, 0.25], np.float32),
            1.0,
        )
    )
}
