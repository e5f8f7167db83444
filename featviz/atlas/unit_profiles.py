"""The profiles of a layer's units on a survey's photographs: what is computed once for all of them, and for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from featviz.atlas.held_units import held_records
from featviz.atlas.surveyed_photos import (
    SAMPLE,
    all_outputs,
    photo_classes,
    photo_outputs,
    sampled_embeddings,
)
from featviz.circuits.co_activation import co_activation_neighbors, firing
from featviz.circuits.ranking import RankedRows
from featviz.circuits.strongest_links import UnitLink
from featviz.evaluation.features import Features, features_of
from featviz.evaluation.monosemanticity import mean_cosine, monosemanticity
from featviz.evaluation.output_changes import has_outputs, is_editable
from featviz.model import Model
from featviz.pages.profile_records import FiringPhoto, HeldUnitRecord, ProfileRecord
from featviz.pages.records import PhotoCrop
from featviz.surveys.firing_maps import FiringMaps, evenly, firing_maps
from featviz.surveys.photo_classes import count_classes, folder_classes
from featviz.surveys.statistics import Example
from featviz.surveys.survey import Survey

# Photographs of a unit's largest activations: with a map, and for classes.
MAPPED, CLASSIFIED = 6, 32
NEIGHBORS, SHOWN_CLASSES = 10, 8
# Values of the survey that are in memory at once.
BLOCK = 1 << 24


@dataclass(frozen=True)
class LayerProfile:
    """What is computed once for a layer; `unit_profile` has one unit's.

    Attributes:
      survey, layer: what was surveyed.
      units: those with profiles; the rows of the arrays below are theirs.
      rows: unit -> its row.
      top: the photographs of each unit's largest activations, the largest first, -1 where it fires on fewer.
      top_values: the activations there.
      active_mean: each unit's mean over the photographs on which it is above 0; nan if on none.
      maps: where units fire on their first photographs.
      co_active: units that fire on the same photographs.
      scores, mean_similarity: monosemanticity, and what it would be without preference; None without features.
      classes: of each photograph, by folder or as the network has it, () without; `class_source` says which.
      held: what the outputs do when each unit is held at a value; empty if that is not measured.
    """

    survey: Survey
    layer: str
    units: tuple[int, ...]
    rows: dict[int, int]
    top: Int[np.ndarray, "units top"]
    top_values: Float[np.ndarray, "units top"]
    active_mean: Float[np.ndarray, " units"]
    maps: FiringMaps
    co_active: RankedRows
    scores: Float[np.ndarray, " units"] | None
    mean_similarity: float | None
    classes: dict[int, str]
    class_source: str
    held: Mapping[int, tuple[HeldUnitRecord, ...]]


def layer_profile(
    survey: Survey,
    layer: str,
    units: Sequence[int],
    *,
    other: Model | Features | None = None,
    effects: bool = False,
    progress: bool = False,
) -> LayerProfile:
    """Computes what `unit_profile` needs of a layer.

    Args:
      survey: of natural images.
      layer: a surveyed layer.
      units: those whose profiles are wanted.
      other: another network, whose features say which photographs are alike; without it there are no scores.
      effects: whether outputs are compared when a unit is held; two runs of the network behind the layer on each of 16
        photographs a unit.
      progress: whether progress bars are shown.

    Raises:
      FeatvizError: for an unknown layer, or photographs that are no longer there.
    """
    readable = np.flatnonzero(survey.readable)
    sample = evenly(readable, SAMPLE)
    top, top_values, active_mean, sampled = _largest(survey, layer, units, readable, sample)
    wanted: dict[int, list[int]] = {}
    for unit, indices in zip(units, top.tolist(), strict=True):
        for index in indices[:MAPPED]:
            if index >= 0:
                wanted.setdefault(index, []).append(unit)
    maps = firing_maps(survey, layer, wanted, progress=progress)
    scores = mean = None
    if other is not None and len(sample) > 1:
        embeddings = sampled_embeddings(survey, replace(features_of(other), rgb=survey.model.input.rgb))
        scores, mean = monosemanticity(sampled, embeddings), mean_cosine(embeddings)
    co_active = co_activation_neighbors(firing(sampled), NEIGHBORS)
    folders = folder_classes(survey)
    with_outputs = (effects or folders is None) and has_outputs(survey.model, survey.size)
    outputs: dict[int, Float[np.ndarray, " outputs"]] = {}
    if with_outputs:
        needed = np.unique(top[top >= 0]).tolist()
        # Those of all photographs, if they are few, serve every layer.
        found = all_outputs(survey) if len(readable) <= SAMPLE else photo_outputs(survey, needed)
        outputs = {index: found[index] for index in needed}
    classes, source = photo_classes(survey, folders, outputs)
    held: Mapping[int, tuple[HeldUnitRecord, ...]] = {}
    if effects and outputs and is_editable(survey.model):
        held = held_records(survey, layer, units, top, top_values, outputs, progress=progress)
    return LayerProfile(
        survey=survey,
        layer=layer,
        units=tuple(units),
        rows={unit: row for row, unit in enumerate(units)},
        top=top,
        top_values=top_values,
        active_mean=active_mean,
        maps=maps,
        co_active=co_active,
        scores=scores,
        mean_similarity=mean,
        classes=classes,
        class_source=source,
        held=held,
    )


def firing_photos(profile: LayerProfile, unit: int) -> list[Example]:
    """The unit's first photographs, whole, as `crop_examples` takes them."""
    height, width = profile.survey.size
    row = profile.rows[unit]
    pairs = zip(profile.top[row].tolist(), profile.top_values[row].tolist(), strict=True)
    return [
        Example(index, profile.survey.names[index], value, 100, (0, 0, width, height))
        for index, value in list(pairs)[:MAPPED]
        if index >= 0
    ]


def unit_profile(profile: LayerProfile, unit: int, photos: Sequence[PhotoCrop]) -> ProfileRecord:
    """A unit's profile.

    Args:
      profile: of its layer.
      unit: one of its units.
      photos: the crops of `firing_photos`.
    """
    row = profile.rows[unit]
    strongest = [index for index in profile.top[row].tolist() if index >= 0]
    found = [profile.classes[index] for index in strongest if index in profile.classes]
    counted = count_classes(found)
    positions = profile.maps.grid.rows * profile.maps.grid.columns
    mean = float(profile.active_mean[row])
    score = None if profile.scores is None else float(profile.scores[row])
    return ProfileRecord(
        position_density=float(profile.maps.density[unit]) if positions > 1 else None,
        position_photos=profile.maps.photos,
        active_mean=None if np.isnan(mean) else mean,
        monosemanticity=None if score is None or np.isnan(score) else score,
        mean_similarity=profile.mean_similarity,
        fired_on=tuple(
            FiringPhoto(crop, profile.maps.maps[unit, index])
            for crop, index in zip(photos, strongest[: len(photos)], strict=True)
        )
        if positions > 1
        else (),
        co_active=tuple(
            UnitLink(profile.layer, profile.units[other], share) for other, share in profile.co_active.row(row)
        ),
        classes=counted.counts[:SHOWN_CLASSES],
        class_photos=len(found),
        class_entropy=counted.entropy if found else None,
        class_source=profile.class_source if found else "",
        held=profile.held.get(unit, ()),
    )


def _largest(
    survey: Survey, layer: str, units: Sequence[int], readable: Int[np.ndarray, " n"], sample: Int[np.ndarray, " s"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each unit's strongest photographs and the activations there, its mean where it fires, its sampled maxima."""
    count = min(CLASSIFIED, len(readable))
    top, values = np.full((len(units), count), -1), np.zeros((len(units), count), np.float32)
    mean, sampled = np.full(len(units), np.nan), np.zeros((len(sample), len(units)), np.float32)
    width = max(BLOCK // max(len(survey), 1), 1)
    for first in range(0, len(units), width):
        part = slice(first, min(first + width, len(units)))
        maxima = np.nan_to_num(survey.maxima(layer, units=list(units[part])), nan=0.0)
        sampled[:, part] = maxima[sample]
        known = maxima[readable]
        order = np.argsort(-known, axis=0, kind="stable")[:count].T
        values[part] = np.take_along_axis(known.T, order, 1)
        top[part] = np.where(values[part] > 0, readable[order], -1)
        fires = known > 0
        sums = np.where(fires, known, 0).sum(axis=0, dtype=np.float64)
        mean[part] = np.where(fires.any(axis=0), sums / np.maximum(fires.sum(axis=0), 1), np.nan)
    return top, values, mean, sampled
